//! ServiceAccount: an identity for pods.

use crate::api::{NameRule, Rules};

/// Rules of `v1` `ServiceAccount`.
pub struct ServiceAccount;

impl Rules for ServiceAccount {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }
}
