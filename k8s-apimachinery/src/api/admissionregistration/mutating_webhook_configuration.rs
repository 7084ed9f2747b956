//! MutatingWebhookConfiguration: who may change objects before they are stored.

use super::webhook;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `admissionregistration.k8s.io/v1` `MutatingWebhookConfiguration`.
pub struct MutatingWebhookConfiguration;

impl Rules for MutatingWebhookConfiguration {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        webhook::default_all(object, |webhook| {
            webhook.fill("reinvocationPolicy", "Never")
        });
    }

    fn check(&self, object: &Field) {
        webhook::check_all(object, |webhook| {
            webhook
                .get("reinvocationPolicy")
                .may_be_one_of(&["IfNeeded", "Never"]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, cluster_wide};
    use serde_json::json;

    #[test]
    fn webhooks_may_be_asked_again() {
        let config = |policy: &str| {
            cluster_wide(json!({"webhooks": [{
                "name": "a.example.com",
                "clientConfig": {"url": "https://example.com"},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "reinvocationPolicy": policy,
            }]}))
        };
        check_create(&MutatingWebhookConfiguration, config("IfNeeded"), &[]);
        check_create(
            &MutatingWebhookConfiguration,
            config("Often"),
            &[
                r#"webhooks[0].reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never""#,
            ],
        );
    }
}
