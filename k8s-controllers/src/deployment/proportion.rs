//! Scaling in the middle of a rollout: each active set takes its share.
//!
//! A Deployment of ten that is halfway from blue to green and is told to be twenty shouldn't put
//! all ten new pods on one side. Each set grows or shrinks by its part of the whole, measured by
//! the maximum that was in force when it was last sized; what rounding leaves goes to the largest.

use super::size::{Goal, Size};

/// The new sizes of the active sets, in the order given. `status_replicas` stands in for the
/// former maximum where a set doesn't record one.
///
/// The order decides who gets what rounding leaves: largest first; among equals the newer when
/// growing, the older when shrinking.
pub(super) fn scale(goal: &Goal, sets: &[Size], status_replicas: i32) -> Vec<i32> {
    let total: i32 = sets.iter().map(|set| set.replicas).sum();
    let allowed = if goal.replicas > 0 { goal.max() } else { 0 };
    let to_add = allowed - total;
    let mut added = 0;
    let mut sizes: Vec<i32> = Vec::with_capacity(sets.len());
    for set in sets {
        let share = share(goal, set, status_replicas, to_add, added);
        added += share;
        sizes.push(set.replicas + share);
    }
    if let Some(largest) = sizes.first_mut() {
        *largest = (*largest + to_add - added).max(0);
    }
    sizes
}

fn share(goal: &Goal, set: &Size, status_replicas: i32, to_add: i32, added: i32) -> i32 {
    let left = to_add - added;
    if set.replicas == 0 || to_add == 0 || left == 0 {
        return 0;
    }
    let fraction = fraction(goal, set, status_replicas);
    if to_add > 0 {
        fraction.min(left)
    } else {
        fraction.max(left)
    }
}

fn fraction(goal: &Goal, set: &Size, status_replicas: i32) -> i32 {
    if goal.replicas == 0 {
        return -set.replicas;
    }
    let before = set.max.filter(|max| *max > 0).unwrap_or(status_replicas);
    if before == 0 {
        return 0;
    }
    let size = f64::from(set.replicas) * f64::from(goal.max()) / f64::from(before);
    // Sizes are far below 2^31: validation caps replicas, and the ratio is of two such numbers.
    size.round() as i32 - set.replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(replicas: i32, surge: i32, sets: &[(i32, i32)], expected: &[i32]) {
        let goal = Goal {
            replicas,
            max_surge: surge,
            max_unavailable: 0,
            is_recreate: false,
        };
        let sets: Vec<Size> = sets
            .iter()
            .map(|(replicas, max)| Size {
                replicas: *replicas,
                max: Some(*max),
                ..Size::default()
            })
            .collect();
        let total: i32 = expected.iter().sum();
        assert_eq!(scale(&goal, &sets, 0), expected);
        assert_eq!(total, if replicas == 0 { 0 } else { replicas + surge });
    }

    #[test]
    fn each_set_takes_its_part() {
        check(20, 0, &[(5, 10), (5, 10)], &[10, 10]);
        check(20, 0, &[(6, 10), (4, 10)], &[12, 8]);
        check(5, 0, &[(6, 10), (4, 10)], &[3, 2]);
    }

    #[test]
    fn what_rounding_leaves_goes_to_the_largest() {
        check(5, 0, &[(1, 3), (1, 3), (1, 3)], &[2, 2, 1]);
        check(7, 0, &[(2, 5), (2, 5), (1, 5)], &[3, 3, 1]);
    }

    #[test]
    fn surge_counts_as_part_of_the_whole() {
        check(15, 3, &[(8, 13), (5, 13)], &[11, 7]);
    }

    #[test]
    fn nothing_is_left_of_a_deployment_of_none() {
        check(0, 3, &[(8, 13), (5, 13)], &[0, 0]);
    }
}
