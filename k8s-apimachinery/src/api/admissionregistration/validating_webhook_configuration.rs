//! ValidatingWebhookConfiguration: who may refuse objects before they are stored.

use super::webhook;
use crate::api::{Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `admissionregistration.k8s.io/v1` `ValidatingWebhookConfiguration`.
pub struct ValidatingWebhookConfiguration;

impl Rules for ValidatingWebhookConfiguration {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        webhook::default_all(object, |_| {});
    }

    fn check(&self, object: &Field) {
        webhook::check_all(object, |_| {});
    }
}
