//! Whether an object should go: from the states of its owners to a verdict.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PropagationPolicy;

use super::graph::{FOREGROUND, Node, ORPHAN};

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It exists.
    Present,
    /// It exists, is being deleted, and waits for its dependents.
    Waiting,
    /// It exists no more, or another object has its name.
    Absent,
}

/// What to do about an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing: an owner keeps it.
    Keep,
    /// An owner keeps it, but others are gone or going: these references remain.
    Unlink(Vec<OwnerReference>),
    /// Delete it so.
    Delete(PropagationPolicy),
    /// Delete it after its own dependents, since an owner waits for it.
    DeleteForeground,
}

/// Decides about an object with owners, given the state of each.
pub(super) fn judge(node: &Node, states: &[OwnerState], has_dependents: bool) -> Verdict {
    let has = |wanted: OwnerState| states.contains(&wanted);
    if has(OwnerState::Present) {
        if !has(OwnerState::Waiting) && !has(OwnerState::Absent) {
            return Verdict::Keep;
        }
        let states = states.iter().zip(&node.owners);
        let present = states.filter(|(state, _)| **state == OwnerState::Present);
        return Verdict::Unlink(present.map(|(_, owner)| owner.clone()).collect());
    }
    if has(OwnerState::Waiting) && has_dependents {
        return Verdict::DeleteForeground;
    }
    // What its deleter asked for earlier still holds.
    Verdict::Delete(if node.has_finalizer(ORPHAN) {
        PropagationPolicy::Orphan
    } else if node.has_finalizer(FOREGROUND) {
        PropagationPolicy::Foreground
    } else {
        PropagationPolicy::Background
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::{OwnerState::*, *};

    fn node(owners: usize, finalizers: &[&str]) -> Node {
        let owners: Vec<_> = (0..owners)
            .map(|i| json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": i.to_string()}))
            .collect();
        let meta =
            json!({"name": "n", "uid": "n", "ownerReferences": owners, "finalizers": finalizers});
        Node::new(Arc::default(), &serde_json::from_value(meta).unwrap())
    }

    #[track_caller]
    fn check(finalizers: &[&str], states: &[OwnerState], has_dependents: bool, expected: Verdict) {
        let node = node(states.len(), finalizers);
        assert_eq!(judge(&node, states, has_dependents), expected);
    }

    #[test]
    fn one_present_owner_keeps_an_object() {
        check(&[], &[Present], true, Verdict::Keep);
        check(&[], &[Present, Present], false, Verdict::Keep);
        let kept = |i: usize| Verdict::Unlink(vec![node(3, &[]).owners[i].clone()]);
        check(&[], &[Present, Absent, Waiting], true, kept(0));
        check(&[], &[Absent, Present, Absent], true, kept(1));
    }

    #[test]
    fn without_owners_it_goes_as_was_asked() {
        use PropagationPolicy::{Background, Foreground, Orphan};
        check(&[], &[Absent], true, Verdict::Delete(Background));
        check(&[], &[Waiting], false, Verdict::Delete(Background));
        check(&[FOREGROUND], &[Absent], true, Verdict::Delete(Foreground));
        check(&[ORPHAN], &[Absent], true, Verdict::Delete(Orphan));
    }

    #[test]
    fn an_owner_that_waits_waits_for_the_whole_tree() {
        check(&[], &[Waiting], true, Verdict::DeleteForeground);
        check(&[], &[Waiting, Absent], true, Verdict::DeleteForeground);
    }
}
