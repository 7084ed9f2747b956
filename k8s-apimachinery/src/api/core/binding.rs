//! Binding: puts a pod on a node.

use crate::api::{Field, NameRule, Rules};

/// Rules of `v1` `Binding`.
pub struct Binding;

impl Rules for Binding {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let target = object.get("target");
        let (kind, name) = (target.get("kind"), target.get("name"));
        if !matches!(kind.str(), "" | "Node") {
            kind.unsupported(&["Node", "<empty>"]);
        }
        name.must_be_set();
    }
}
