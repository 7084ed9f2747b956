use serde_json::{Value, json};

use super::*;
use crate::api::testing::{check_create, check_status, check_update, named};

#[track_caller]
fn check(spec: Value, want: &[&str]) {
    check_create(&ResourceQuota, named(json!({ "spec": spec })), want);
}

#[test]
fn resources_are_those_of_quotas() {
    check(
        json!({"hard": {
            "pods": "1", "requests.cpu": "1500m", "count/deployments.apps": "1",
            "requests.example.com/gpu": "4", "hugepages-2Mi": "2Mi",
            "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
        }}),
        &[],
    );
    check(
        json!({"hard": {"storage": "1", "batteries": "1"}}),
        &[
            r#"spec.hard[batteries]: Invalid value: "batteries": must be a standard resource type or fully qualified"#,
            r#"spec.hard[batteries]: Invalid value: "batteries": must be a standard resource for quota"#,
            r#"spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota"#,
        ],
    );
}

#[test]
fn counts_are_whole_and_nothing_is_negative() {
    check(
        json!({"hard": {"pods": "500m", "count/deployments.apps": "1500m", "cpu": "-1"}}),
        &[
            r#"spec.hard[count/deployments.apps]: Invalid value: "1500m": must be an integer"#,
            r#"spec.hard[cpu]: Invalid value: "-1": must be greater than or equal to 0"#,
            r#"spec.hard[pods]: Invalid value: "500m": must be an integer"#,
        ],
    );
}

#[test]
fn scopes_go_with_what_they_speak_of() {
    check(
        json!({"hard": {"pods": "1", "count/pods": "1"}, "scopes": ["BestEffort", "NotTerminating"]}),
        &[],
    );
    check(
        json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
        &[r#"spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource"#],
    );
    check(
        json!({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort", "Odd"]}),
        &[
            r#"spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope"#,
            r#"spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: conflicting scopes"#,
        ],
    );
    check(
        json!({"hard": {"requests.storage": "1"}, "scopes": ["VolumeAttributesClass"]}),
        &[],
    );
    check(
        json!({"hard": {"services": "1"}, "scopes": ["VolumeAttributesClass"]}),
        &[
            r#"spec.scopes: Invalid value: ["VolumeAttributesClass"]: unsupported scope applied to resource"#,
        ],
    );
}

#[test]
fn selectors_have_operators_that_fit() {
    let selecting = |expression: Value| json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [expression]}});
    check(
        selecting(json!({"scopeName": "PriorityClass", "operator": "In", "values": ["a"]})),
        &[],
    );
    check(
        selecting(json!({"scopeName": "PriorityClass", "operator": "In"})),
        &[
            "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ],
    );
    check(
        selecting(json!({"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]})),
        &[
            r#"spec.scopeSelector.matchExpressions.values: Invalid value: ["a"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"#,
        ],
    );
    check(
        selecting(json!({"scopeName": "PriorityClass", "operator": "Is"})),
        &[
            r#"spec.scopeSelector.matchExpressions.operator: Invalid value: "Is": not a valid selector operator"#,
        ],
    );
    check(
        selecting(json!({"scopeName": "BestEffort", "operator": "DoesNotExist"})),
        &[
            r#"spec.scopeSelector.matchExpressions.operator: Invalid value: "DoesNotExist": must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"#,
        ],
    );
    check(
        selecting(json!({"scopeName": "Odd", "operator": "Exists"})),
        &[
            r#"spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Odd": unsupported scope"#,
        ],
    );
}

#[test]
fn scopes_stay() {
    let with = |scopes: &[&str], pods: &str| {
        named(json!({"spec": {"hard": {"pods": pods}, "scopes": scopes}}))
    };
    let two = ["BestEffort", "Terminating"];
    check_update(
        &ResourceQuota,
        with(&two, "1"),
        with(&["Terminating", "BestEffort"], "2"),
        &[],
    );
    check_update(
        &ResourceQuota,
        with(&two, "1"),
        with(&["BestEffort"], "1"),
        &[r#"spec.scopes: Invalid value: ["BestEffort"]: field is immutable"#],
    );
}

#[test]
fn a_status_names_resources_of_quotas() {
    check_status(
        &ResourceQuota,
        named(json!({"status": {"hard": {"batteries": "1"}, "used": {"pods": "-1"}}})),
        &[
            r#"status.hard[batteries]: Invalid value: "batteries": must be a standard resource type or fully qualified"#,
            r#"status.hard[batteries]: Invalid value: "batteries": must be a standard resource for quota"#,
            r#"status.used[pods]: Invalid value: "-1": must be greater than or equal to 0"#,
        ],
    );
}
