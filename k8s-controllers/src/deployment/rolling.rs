//! One step of a rolling update: numbers in, numbers out.
//!
//! First the new set grows as far as the surge allows. Only when it can't grow do the old sets
//! shrink, unhealthy pods first, as far as availability allows. Repeated on every change, these
//! steps end with the new set alone.

use super::size::{Goal, Size, Sizes};

/// The sizes to set next. `old` is ordered from oldest to newest.
pub(super) fn step(goal: &Goal, new: Size, old: &[Size]) -> Sizes {
    let current = Sizes {
        new: new.replicas,
        old: old.iter().map(|set| set.replicas).collect(),
    };
    let grown = new_replicas(goal, new.replicas, current.old.iter().sum());
    if grown != new.replicas {
        return Sizes {
            new: grown,
            ..current
        };
    }
    Sizes {
        old: shrink(goal, new, old),
        ..current
    }
}

/// How large the new set may be beside the old ones.
pub(super) fn new_replicas(goal: &Goal, new: i32, old_total: i32) -> i32 {
    if new >= goal.replicas || goal.is_recreate {
        return goal.replicas;
    }
    let room = goal.max() - (new + old_total);
    new + room.clamp(0, goal.replicas - new)
}

fn shrink(goal: &Goal, new: Size, old: &[Size]) -> Vec<i32> {
    let mut sizes: Vec<i32> = old.iter().map(|set| set.replicas).collect();
    let total: i32 = new.replicas + sizes.iter().sum::<i32>();
    // Pods of the new set that aren't available yet count as missing: else a rollout that
    // can't start would still take the old pods down.
    let new_missing = new.replicas - new.available;
    let mut budget = total - goal.min_available() - new_missing;
    if budget <= 0 {
        return sizes;
    }
    // Taking unhealthy pods away costs no availability (a set deletes its unready pods first).
    for (size, set) in sizes.iter_mut().zip(old) {
        let cut = (*size - set.available).clamp(0, budget);
        *size -= cut;
        budget -= cut;
    }
    let available: i32 = new.available + old.iter().map(|set| set.available).sum::<i32>();
    let mut spare = (available - goal.min_available()).max(0);
    for size in &mut sizes {
        let cut = (*size).min(spare);
        *size -= cut;
        spare -= cut;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn goal(replicas: i32, max_surge: i32, max_unavailable: i32) -> Goal {
        Goal {
            replicas,
            max_surge,
            max_unavailable,
            is_recreate: false,
        }
    }

    fn healthy(replicas: i32) -> Size {
        Size {
            replicas,
            available: replicas,
            ..Size::default()
        }
    }

    /// Plays a rollout from old to new in which every new pod becomes available at once, and
    /// writes a line per step: new size, old sizes.
    #[track_caller]
    fn check(goal: Goal, old: &[i32], expected: Expect) {
        let (mut new, mut old) = (
            Size::default(),
            old.iter().map(|n| healthy(*n)).collect::<Vec<_>>(),
        );
        let mut script = String::new();
        for _ in 0..100 {
            let next = step(&goal, new, &old);
            if next.new == new.replicas && next.old.iter().eq(old.iter().map(|set| &set.replicas)) {
                expected.assert_eq(&script);
                return;
            }
            writeln!(script, "{} {:?}", next.new, next.old).unwrap();
            let total = next.new + next.old.iter().sum::<i32>();
            assert!(total <= goal.max().max(old.iter().map(|s| s.replicas).sum()));
            new = healthy(next.new);
            old = next.old.into_iter().map(healthy).collect();
        }
        panic!("the rollout doesn't end:\n{script}");
    }

    #[test]
    fn the_default_strategy_of_three_replicas_replaces_one_by_one() {
        check(
            goal(3, 1, 0),
            &[3],
            expect![[r#"
                1 [3]
                1 [2]
                2 [2]
                2 [1]
                3 [1]
                3 [0]
            "#]],
        );
    }

    #[test]
    fn without_surge_old_pods_make_room_first() {
        check(
            goal(4, 0, 2),
            &[4],
            expect![[r#"
                0 [2]
                2 [2]
                2 [0]
                4 [0]
            "#]],
        );
    }

    #[test]
    fn several_old_sets_go_from_the_oldest_on() {
        check(
            goal(4, 2, 1),
            &[2, 2],
            expect![[r#"
                2 [2, 2]
                2 [0, 1]
                4 [0, 1]
                4 [0, 0]
            "#]],
        );
    }

    #[test]
    fn a_new_set_that_never_becomes_available_leaves_the_old_pods_alone() {
        let goal = goal(10, 3, 2);
        let stuck = Size {
            replicas: 5,
            available: 0,
            ..Size::default()
        };
        let next = step(&goal, stuck, &[healthy(8)]);
        assert_eq!(
            next,
            Sizes {
                new: 5,
                old: vec![8]
            }
        );
    }

    #[test]
    fn unhealthy_old_pods_go_first() {
        let broken = Size {
            replicas: 4,
            available: 1,
            ..Size::default()
        };
        let next = step(&goal(6, 2, 1), healthy(1), &[healthy(3), broken]);
        assert_eq!((next.new, next.old), (1, vec![3, 1]));
        // When more may be missing, healthy ones follow, from the oldest set on.
        let next = step(&goal(6, 1, 3), healthy(0), &[healthy(3), broken]);
        assert_eq!(next.old, [2, 1]);
    }

    /// Rollouts in which pods become available late and fail at random keep both promises at
    /// every step: never more pods than replicas and surge, and no available pod is taken away
    /// below the minimum.
    #[test]
    fn surge_never_exceeds_max_and_availability_never_falls_below_min() {
        let mut seed = 1u64;
        let mut random = move |below: i32| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            ((seed >> 33) as i32).rem_euclid(below.max(1))
        };
        for _ in 0..2000 {
            let replicas = random(12) + 1;
            let surge = random(4);
            let unavailable = if surge == 0 {
                1 + random(3)
            } else {
                random(replicas)
            };
            let goal = goal(replicas, surge, unavailable.min(replicas));
            let mut new = Size::default();
            let mut old = vec![healthy(replicas)];
            for _ in 0..40 {
                let next = step(&goal, new, &old);
                let total = next.new + next.old.iter().sum::<i32>();
                assert!(total <= goal.max(), "{goal:?} {next:?}");
                let before = new.available + old[0].available;
                let after = new.available.min(next.new) + old[0].available.min(next.old[0]);
                assert!(
                    after == before || after >= goal.min_available(),
                    "{goal:?} {new:?} {old:?} -> {next:?}"
                );
                new.replicas = next.new;
                new.available =
                    (new.available + random(3)).min(next.new) - i32::from(random(9) == 0);
                new.available = new.available.max(0);
                old[0].replicas = next.old[0];
                old[0].available = old[0].available.min(next.old[0]);
            }
        }
    }
}
