use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::scheme::Gvk;

fn schema(api_version: &str, kind: &str) -> Arc<Schema> {
    Schema::builtin(&Gvk::from_api_version(api_version, kind)).unwrap()
}

#[track_caller]
fn check(api_version: &str, kind: &str, mut sent: Value, stored: Value) {
    let schema = schema(api_version, kind);
    normalise(&schema, &mut sent).unwrap();
    assert_eq!(sent, stored);
    normalise(&schema, &mut sent).unwrap();
    assert_eq!(sent, stored, "again");
}

#[track_caller]
fn complaint(api_version: &str, kind: &str, mut sent: Value) -> String {
    normalise(&schema(api_version, kind), &mut sent)
        .unwrap_err()
        .to_string()
}

#[test]
fn nulls_and_empty_values_go_but_empty_objects_stay() {
    check(
        "v1",
        "Pod",
        json!({
            "metadata": {"creationTimestamp": null, "labels": {}, "name": "a", "namespace": ""},
            "spec": {
                "containers": [{"name": "a", "args": [], "resources": {}, "tty": false, "image": ""}],
                "nodeSelector": {}, "hostNetwork": false, "volumes": [{"name": "v", "emptyDir": {}}],
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
            },
            "status": {},
        }),
        json!({
            "metadata": {"name": "a"},
            "spec": {
                "containers": [{"name": "a", "resources": {}}],
                "volumes": [{"name": "v", "emptyDir": {}}],
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
            },
            "status": {},
        }),
    );
}

#[test]
fn required_and_meaningful_empties_stay() {
    check(
        "rbac.authorization.k8s.io/v1",
        "Role",
        json!({"rules": []}),
        json!({"rules": []}),
    );
    check(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        json!({"endpoints": []}),
        json!({"endpoints": []}),
    );
    check(
        "apps/v1",
        "Deployment",
        json!({"spec": {"replicas": 0}}),
        json!({"spec": {"replicas": 0}}),
    );
    check(
        "v1",
        "PersistentVolumeClaim",
        json!({"spec": {"storageClassName": ""}}),
        json!({"spec": {"storageClassName": ""}}),
    );
}

#[test]
fn amounts_and_times_become_canonical() {
    check(
        "v1",
        "Pod",
        json!({
            "metadata": {"creationTimestamp": "2026-01-02T03:04:05.678+01:00"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi", "x/y": 2}}}]},
        }),
        json!({
            "metadata": {"creationTimestamp": "2026-01-02T02:04:05Z"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi", "x/y": "2"}}}]},
        }),
    );
    check(
        "coordination.k8s.io/v1",
        "Lease",
        json!({"spec": {"renewTime": "2026-01-02T03:04:05Z"}}),
        json!({"spec": {"renewTime": "2026-01-02T03:04:05.000000Z"}}),
    );
}

#[test]
fn nulls_in_lists_and_maps_are_zero_values() {
    check(
        "v1",
        "ConfigMap",
        json!({"data": {"a": null}, "metadata": {"finalizers": [null]}}),
        json!({"data": {"a": ""}, "metadata": {"finalizers": [""]}}),
    );
}

#[test]
fn free_json_keeps_its_nulls() {
    let sent = json!({"data": {"a": null, "b": []}, "revision": 1});
    check("apps/v1", "ControllerRevision", sent.clone(), sent);
}

#[test]
fn wrong_types_are_reported_as_kubernetes_reports_them() {
    let mut sent = json!({"spec": {"replicas": "three"}});
    let errors = normalise(&schema("apps/v1", "Deployment"), &mut sent).unwrap_err();
    assert_eq!(
        errors.for_kind("v1", "Deployment"),
        "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct \
         field DeploymentSpec.spec.replicas of type int32"
    );
    let of = |value| complaint("apps/v1", "Deployment", value);
    assert_eq!(
        of(json!({"spec": {"template": {"spec": {"containers": [{"image": 3}]}}}})),
        "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string"
    );
    assert_eq!(
        of(json!({"spec": {"template": {"spec": {"containers": {}}}}})),
        "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container"
    );
    assert_eq!(
        of(json!({"spec": []})),
        "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"
    );
    assert_eq!(
        of(json!("x")),
        "json: cannot unmarshal string into Go value of type v1.Deployment"
    );
    assert_eq!(
        of(json!({"spec": {"replicas": 3.5}})),
        "json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32"
    );
    assert!(of(json!({"spec": {"replicas": 3_000_000_000_i64}})).contains("number 3000000000"));
    assert_eq!(
        of(json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": true}}}})),
        "json: cannot unmarshal bool into Go value of type int32"
    );
    assert_eq!(
        of(json!({"metadata": {"labels": {"a": 1}}})),
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
    );
}

#[test]
fn unreadable_texts_are_reported_as_kubernetes_reports_them() {
    let quantity = json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}});
    assert!(
        complaint("v1", "Pod", quantity)
            .starts_with("quantities must match the regular expression")
    );
    let time = json!({"metadata": {"creationTimestamp": "now"}});
    assert!(complaint("v1", "Pod", time).starts_with("parsing time \"now\""));
    for (text, at) in [
        ("a", 1),
        ("YQ", 2),
        ("YQ=", 3),
        ("YQ==", 99),
        ("Y*==", 1),
        ("YQ===", 4),
        ("YWJj", 99),
    ] {
        let mut secret = json!({"data": {"k": text}});
        let result = normalise(&schema("v1", "Secret"), &mut secret);
        let message = result.map_or_else(|error| error.to_string(), |()| "at input byte 99".into());
        assert!(
            message.ends_with(&format!("at input byte {at}")),
            "{text}: {message}"
        );
    }
}
