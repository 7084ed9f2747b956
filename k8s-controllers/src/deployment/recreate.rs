//! One step of a Recreate rollout: old pods go, all of them, before the first new one comes.

use super::{
    size::{Goal, Size, Sizes},
    view::View,
};

/// The sizes to set next.
pub(super) fn step(goal: &Goal, new: Size, old: &[Size], has_old_pods: bool) -> Sizes {
    let is_room = !has_old_pods && old.iter().all(|set| set.replicas == 0);
    Sizes {
        new: if is_room { goal.replicas } else { new.replicas },
        old: vec![0; old.len()],
    }
}

/// While old pods are there, the new set isn't even created: the sizes that make them go, or
/// `None` when the way is free (or the strategy is another).
pub(super) fn before_new_set(view: &View, goal: &Goal) -> Option<Sizes> {
    let old = view.old_sizes();
    let is_busy = view.has_old_pods || old.iter().any(|set| set.replicas > 0);
    (goal.is_recreate && is_busy).then(|| step(goal, Size::default(), &old, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(new: i32, old: &[i32], has_old_pods: bool, expected: (i32, &[i32])) {
        let goal = Goal {
            replicas: 3,
            max_surge: 0,
            max_unavailable: 0,
            is_recreate: true,
        };
        let size = |replicas: &i32| Size {
            replicas: *replicas,
            ..Size::default()
        };
        let old: Vec<Size> = old.iter().map(size).collect();
        let sizes = step(&goal, size(&new), &old, has_old_pods);
        assert_eq!((sizes.new, sizes.old.as_slice()), expected);
    }

    #[test]
    fn new_pods_come_only_after_the_last_old_one_has_ended() {
        check(0, &[3], true, (0, &[0]));
        check(0, &[0], true, (0, &[0]));
        check(0, &[0], false, (3, &[0]));
        check(3, &[], false, (3, &[]));
    }
}
