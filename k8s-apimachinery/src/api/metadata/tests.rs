use super::*;
use crate::api::core::config_map::ConfigMap;
use crate::api::testing::{check_create, check_update, named, object};
use serde_json::{Value, json};

fn with(metadata: Value) -> crate::object::Object {
    named(json!({"metadata": metadata}))
}

#[test]
fn names_and_namespaces_are_required() {
    check_create(
        &ConfigMap,
        object(json!({})),
        &[
            "metadata.name: Required value: name or generateName is required",
            "metadata.namespace: Required value",
        ],
    );
}

#[test]
fn a_generated_name_may_end_with_a_dash() {
    assert_eq!(
        NameRule::Subdomain.prefix_faults("web-"),
        Vec::<String>::new()
    );
    assert_ne!(
        NameRule::Subdomain.prefix_faults("Web-"),
        Vec::<String>::new()
    );
    assert_eq!(
        NameRule::PathSegment.prefix_faults("a:b-"),
        Vec::<String>::new()
    );
}

#[test]
fn path_segments_have_no_slashes() {
    assert_eq!(
        NameRule::PathSegment.faults("system:node"),
        Vec::<String>::new()
    );
    assert_eq!(
        NameRule::PathSegment.faults("a/b%c"),
        ["may not contain '/'", "may not contain '%'"]
    );
    assert_eq!(NameRule::PathSegment.faults(".."), ["may not be '..'"]);
}

#[test]
fn labels_are_reported_for_the_whole_map() {
    check_create(&ConfigMap, with(json!({"labels": {"a": "b"}})), &[]);
    let faults = faults_of(json!({"labels": {"a": "b c"}}));
    assert!(faults[0].starts_with(r#"metadata.labels: Invalid value: "b c": a valid label must"#));
}

#[test]
fn an_object_has_one_controller() {
    let owner = |name: &str| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": "u", "controller": true});
    check_create(
        &ConfigMap,
        with(json!({"ownerReferences": [owner("a")]})),
        &[],
    );
    let faults = faults_of(json!({"ownerReferences": [owner("a"), owner("b")]}));
    assert!(faults[0].ends_with(
        "Only one reference can have Controller set to true. Found \"true\" in references for a and b"
    ));
    let faults =
        faults_of(json!({"ownerReferences": [{"apiVersion": "", "kind": "X", "name": "x"}]}));
    assert_eq!(
        faults,
        [
            r#"metadata.ownerReferences[0].apiVersion: Invalid value: "": version must not be empty"#,
            r#"metadata.ownerReferences[0].uid: Invalid value: "": must not be empty"#,
        ]
    );
}

#[test]
fn finalizers_have_a_domain_or_are_standard() {
    check_create(
        &ConfigMap,
        with(json!({"finalizers": ["orphan", "a.b/c"]})),
        &[],
    );
    check_create(
        &ConfigMap,
        with(json!({"finalizers": ["mine"]})),
        &[
            r#"metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified"#,
        ],
    );
}

#[test]
fn a_deleted_object_gets_no_new_finalizers() {
    let old = with(json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}));
    check_update(
        &ConfigMap,
        old.clone(),
        with(json!({"finalizers": []})),
        &[],
    );
    check_update(
        &ConfigMap,
        old,
        with(json!({"finalizers": ["a/b", "c/d"]})),
        &[
            r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}"#,
        ],
    );
}

#[test]
fn what_names_an_object_never_changes() {
    let mut renamed = with(json!({"uid": "2"}));
    renamed.set(&["metadata", "name"], "y".into());
    check_update(
        &ConfigMap,
        with(json!({"uid": "1", "generation": 2})),
        renamed,
        &[
            "metadata.generation: Invalid value: 0: must not be decremented",
            r#"metadata.name: Invalid value: "y": field is immutable"#,
            r#"metadata.uid: Invalid value: "2": field is immutable"#,
        ],
    );
}

fn faults_of(metadata: Value) -> Vec<String> {
    use crate::api::Rules;
    let faults = ConfigMap.validate(&with(metadata));
    faults.iter().map(ToString::to_string).collect()
}
