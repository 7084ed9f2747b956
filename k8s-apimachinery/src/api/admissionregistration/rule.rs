//! What a webhook or a policy is asked about: operations on resources.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::api::{Edit, Field, NameRule};

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];

/// A rule is about namespaced and other objects unless it says which.
pub(super) fn default(rule: &mut Map<String, Value>) {
    rule.fill("scope", "*");
}

/// Checks one rule.
pub(super) fn check(rule: &Field) {
    let operations = rule.get("operations");
    check_wildcard(&operations, "operations");
    for operation in operations.items() {
        if !OPERATIONS.contains(&operation.str()) {
            operation.unsupported(&OPERATIONS);
        }
    }
    check_wildcard(&rule.get("apiGroups"), "API groups");
    let versions = rule.get("apiVersions");
    check_wildcard(&versions, "API versions");
    versions.items().for_each(|version| {
        version.must_be_set();
    });
    check_resources(&rule.get("resources"));
    rule.get("scope").may_be_one_of(&SCOPES);
}

/// Checks a rule that may name single objects.
pub(super) fn check_named(rule: &Field) {
    let mut seen = HashSet::new();
    for name in rule.get("resourceNames").items() {
        name.invalid_for(NameRule::PathSegment.faults(name.str()));
        if !seen.insert(name.str()) {
            name.duplicate();
        }
    }
    check(rule);
}

/// The list has items, and a `*` only alone.
fn check_wildcard(list: &Field, others: &str) {
    if list.is_empty() {
        list.required("");
    }
    if list.len() > 1 && list.items().any(|item| item.str() == "*") {
        list.invalid(format!(
            "if '*' is present, must not specify other {others}"
        ));
    }
}

fn check_resources(resources: &Field) {
    if resources.is_empty() {
        resources.required("");
    }
    // `pods/*` covers `pods/status` behind it, and `*/status` does as well.
    let (mut all_of, mut all_named) = (HashSet::new(), HashSet::new());
    let (mut has_every_one, mut has_all_plain, mut has_plain) = (false, false, false);
    for resource in resources.items() {
        if !resource.must_be_set() {
            continue;
        }
        let text = resource.str();
        has_every_one |= text == "*/*";
        has_all_plain |= text == "*";
        let Some((name, part)) = text.split_once('/') else {
            // The last one decides, as in Kubernetes.
            has_plain = text != "*";
            continue;
        };
        if all_of.contains(name) {
            resource.invalid(format!("if '{name}/*' is present, must not specify {text}"));
        }
        if all_named.contains(part) {
            resource.invalid(format!("if '*/{part}' is present, must not specify {text}"));
        }
        if part == "*" {
            all_of.insert(name);
        }
        if name == "*" {
            all_named.insert(part);
        }
    }
    if resources.len() > 1 && has_every_one {
        resources.invalid("if '*/*' is present, must not specify other resources");
    }
    if has_all_plain && has_plain {
        resources
            .invalid("if '*' is present, must not specify other resources without subresources");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::json;

    #[track_caller]
    fn check_rule(resources: &[&str], operations: &[&str], want: &[&str]) {
        let rule = json!({
            "operations": operations, "apiGroups": [""], "apiVersions": ["v1"],
            "resources": resources,
        });
        let faults = collect(&object(json!({"rule": rule})), |root| {
            check(&root.get("rule"))
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn wildcards_cover_what_they_stand_for() {
        check_rule(&["pods", "pods/status", "*/scale"], &["*"], &[]);
        check_rule(
            &["pods/*", "pods/status"],
            &["*"],
            &[
                r#"rule.resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status"#,
            ],
        );
        check_rule(
            &["*", "pods"],
            &["CREATE"],
            &[
                r#"rule.resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources"#,
            ],
        );
        check_rule(
            &["*/*", "pods"],
            &["CREATE"],
            &[
                r#"rule.resources: Invalid value: ["*/*","pods"]: if '*/*' is present, must not specify other resources"#,
            ],
        );
    }

    #[test]
    fn operations_are_known() {
        check_rule(
            &["pods"],
            &["GET", "*"],
            &[
                r#"rule.operations: Invalid value: ["GET","*"]: if '*' is present, must not specify other operations"#,
                r#"rule.operations[0]: Unsupported value: "GET": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE""#,
            ],
        );
        check_rule(&["pods"], &[], &["rule.operations: Required value"]);
    }
}
