//! Eviction: asks for a pod's deletion, as far as its disruption budget allows it.

use crate::api::{Field, NameRule, Rules};

/// Rules of `policy/v1` `Eviction`. Its metadata is that of the pod.
pub struct Eviction;

impl Rules for Eviction {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        check_delete_options(&object.get("deleteOptions"));
    }
}

/// Checks `meta/v1` `DeleteOptions`.
fn check_delete_options(options: &Field) {
    let propagation = options.get("propagationPolicy");
    let orphan = options.get("orphanDependents");
    if orphan.is_set() && propagation.is_set() {
        propagation.invalid("orphanDependents and deletionPropagation cannot be both set");
    }
    if propagation.is_set() && !matches!(propagation.str(), "Foreground" | "Background" | "Orphan")
    {
        propagation.unsupported(&["Background", "Foreground", "Orphan", "nil"]);
    }
    for stage in options.get("dryRun").items() {
        if stage.str() != "All" {
            stage.unsupported(&["All"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(options: Value, want: &[&str]) {
        check_create(&Eviction, named(json!({"deleteOptions": options})), want);
    }

    #[test]
    fn options_are_those_of_a_delete() {
        check(json!({"gracePeriodSeconds": 0, "dryRun": ["All"]}), &[]);
        check(
            json!({"dryRun": ["Some"]}),
            &[r#"deleteOptions.dryRun[0]: Unsupported value: "Some": supported values: "All""#],
        );
        check(
            json!({"propagationPolicy": "Later"}),
            &[
                r#"deleteOptions.propagationPolicy: Unsupported value: "Later": supported values: "Background", "Foreground", "Orphan", "nil""#,
            ],
        );
        check(
            json!({"propagationPolicy": "Orphan", "orphanDependents": true}),
            &[
                r#"deleteOptions.propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set"#,
            ],
        );
    }
}
