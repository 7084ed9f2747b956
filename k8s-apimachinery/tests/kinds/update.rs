//! What may change of each kind that has rules for updates, and what may not: of each kind some of both.

use std::collections::BTreeMap;

use k8s_apimachinery::{Object, Value};
use serde_json::json;

use crate::sample::samples;

/// A file without its directory's extension, a field, what it is set to, and what is said about it; nothing if it may be.
type Row = (&'static str, &'static str, Value, &'static str);

fn rows() -> Vec<Row> {
    let labels = || json!({ "matchLabels": { "app": "web" } });
    let parent = |name: &str| json!({ "resource": "gateways", "name": name });
    vec![
        ("apps/v1.ControllerRevision", "revision", json!(4), ""),
        (
            "apps/v1.ControllerRevision",
            "data",
            json!({ "spec": 1 }),
            r#"data: Invalid value: {"spec":1}: field is immutable"#,
        ),
        ("apps/v1.Deployment", "spec.replicas", json!(7), ""),
        (
            "apps/v1.Deployment",
            "spec.selector",
            labels(),
            r#"spec.selector: Invalid value: {"matchLabels":{"app":"web"}}: field is immutable"#,
        ),
        ("apps/v1.ReplicaSet", "spec.replicas", json!(7), ""),
        (
            "apps/v1.ReplicaSet",
            "spec.selector",
            labels(),
            r#"spec.selector: Invalid value: {"matchLabels":{"app":"web"}}: field is immutable"#,
        ),
        ("apps/v1.DaemonSet", "spec.minReadySeconds", json!(7), ""),
        (
            "apps/v1.DaemonSet",
            "spec.selector",
            labels(),
            r#"spec.selector: Invalid value: {"matchLabels":{"app":"web"}}: field is immutable"#,
        ),
        ("apps/v1.StatefulSet", "spec.replicas", json!(7), ""),
        (
            "apps/v1.StatefulSet",
            "spec.ordinals",
            json!({ "start": 9 }),
            "",
        ),
        (
            "apps/v1.StatefulSet",
            "spec.serviceName",
            json!("other"),
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
             forbidden",
        ),
        ("batch/v1.Job", "spec.backoffLimit", json!(9), ""),
        ("batch/v1.Job", "spec.suspend", json!(false), ""),
        (
            "batch/v1.Job",
            "spec.completions",
            json!(9),
            "spec.completions: Invalid value: 9: can only be modified in tandem with spec.parallelism",
        ),
        (
            "batch/v1.Job",
            "spec.managedBy",
            json!("example.com/other"),
            r#"spec.managedBy: Invalid value: "example.com/other": field is immutable"#,
        ),
        ("batch/v1.CronJob", "spec.schedule", json!("0 * * * *"), ""),
        (
            "batch/v1.CronJob",
            "spec.schedule",
            json!("TZ=UTC 0 * * * *"),
            r#"spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"#,
        ),
        (
            "certificates/v1.ClusterTrustBundle",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "certificates/v1.ClusterTrustBundle",
            "spec.signerName",
            json!("example.com/other"),
            r#"spec.signerName: Invalid value: "example.com/other": field is immutable"#,
        ),
        ("core/v1.ResourceQuota", "spec.hard.pods", json!("11"), ""),
        (
            "core/v1.ResourceQuota",
            "spec.scopes",
            json!(["NotTerminating", "NotBestEffort"]),
            "",
        ),
        (
            "core/v1.ResourceQuota",
            "spec.scopes",
            json!(["NotBestEffort"]),
            r#"spec.scopes: Invalid value: ["NotBestEffort"]: field is immutable"#,
        ),
        ("core/v1.ConfigMap", "data.key", json!("other"), ""),
        ("core/v1.Secret", "metadata.labels", json!({ "a": "b" }), ""),
        (
            "core/v1.Secret",
            "data.a",
            json!("ZGVm"),
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        (
            "core/v1.Secret",
            "type",
            json!("example.com/other"),
            r#"type: Invalid value: "example.com/other": field is immutable"#,
        ),
        (
            "core/v1.Service",
            "spec.internalTrafficPolicy",
            json!("Cluster"),
            "",
        ),
        (
            "core/v1.Service",
            "spec.healthCheckNodePort",
            json!(30_091),
            "spec.healthCheckNodePort: Forbidden: field is immutable",
        ),
        (
            "discovery/v1.EndpointSlice",
            "ports",
            json!([{ "name": "web", "port": 81, "protocol": "TCP" }]),
            "",
        ),
        (
            "discovery/v1.EndpointSlice",
            "addressType",
            json!("FQDN"),
            r#"addressType: Invalid value: "FQDN": field is immutable"#,
        ),
        (
            "events/v1.Event",
            "series",
            json!({ "count": 3, "lastObservedTime": "2026-01-01T00:00:01.000000Z" }),
            "",
        ),
        (
            "events/v1.Event",
            "note",
            json!("other"),
            r#"note: Invalid value: "other": field is immutable"#,
        ),
        (
            "networking/v1.IngressClass",
            "spec.parameters.name",
            json!("b"),
            "",
        ),
        (
            "networking/v1.IngressClass",
            "spec.controller",
            json!("example.com/other"),
            r#"spec.controller: Invalid value: "example.com/other": field is immutable"#,
        ),
        (
            "networking/v1.IPAddress",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "networking/v1.IPAddress",
            "spec.parentRef",
            parent("b"),
            r#"spec.parentRef: Invalid value: {"name":"b","resource":"gateways"}: field is immutable"#,
        ),
        (
            "networking/v1.ServiceCIDR",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "networking/v1.ServiceCIDR",
            "spec.cidrs",
            json!(["10.0.0.0/24"]),
            r#"spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable"#,
        ),
        (
            "node/v1.RuntimeClass",
            "overhead.podFixed.cpu",
            json!("200m"),
            "",
        ),
        (
            "node/v1.RuntimeClass",
            "handler",
            json!("runc"),
            r#"handler: Invalid value: "runc": field is immutable"#,
        ),
        (
            "rbac/v1.RoleBinding",
            "subjects",
            json!([{ "kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "g" }]),
            "",
        ),
        (
            "rbac/v1.RoleBinding",
            "roleRef",
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a" }),
            r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"a"}: cannot change roleRef"#,
        ),
        ("rbac/v1.ClusterRoleBinding", "subjects", json!([]), ""),
        (
            "rbac/v1.ClusterRoleBinding",
            "roleRef",
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "b" }),
            r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"b"}: cannot change roleRef"#,
        ),
        (
            "resource/v1.ResourceClaim",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "resource/v1.ResourceClaimTemplate",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "resource/v1.ResourceSlice",
            "spec.pool.generation",
            json!(2),
            "",
        ),
        (
            "resource/v1.ResourceSlice",
            "spec.driver",
            json!("tpu.example.com"),
            r#"spec.driver: Invalid value: "tpu.example.com": field is immutable"#,
        ),
        (
            "resource/v1.ResourceSlice",
            "spec.pool.name",
            json!("n2"),
            r#"spec.pool.name: Invalid value: "n2": field is immutable"#,
        ),
        (
            "resource/v1.DeviceTaintRule",
            "spec.taint.value",
            json!("b"),
            "",
        ),
        (
            "scheduling/v1.PriorityClass",
            "description",
            json!("other"),
            "",
        ),
        (
            "scheduling/v1.PriorityClass",
            "globalDefault",
            json!(false),
            "",
        ),
        (
            "scheduling/v1.PriorityClass",
            "value",
            json!(6),
            "Value: Forbidden: may not be changed in an update.",
        ),
        (
            "scheduling/v1.PriorityClass",
            "preemptionPolicy",
            json!("PreemptLowerPriority"),
            r#"preemptionPolicy: Invalid value: "PreemptLowerPriority": field is immutable"#,
        ),
        (
            "storage.k8s.io/v1.CSIDriver",
            "spec.podInfoOnMount",
            json!(false),
            "",
        ),
        (
            "storage.k8s.io/v1.CSIDriver",
            "spec.attachRequired",
            json!(false),
            "spec.attachedRequired: Invalid value: false: field is immutable",
        ),
        (
            "storage.k8s.io/v1.CSIDriver",
            "spec.volumeLifecycleModes",
            json!(["Persistent"]),
            r#"spec.volumeLifecycleModes: Invalid value: ["Persistent"]: field is immutable"#,
        ),
        ("storage.k8s.io/v1.CSINode", "spec.drivers", json!([]), ""),
        (
            "storage.k8s.io/v1.CSINode",
            "spec.drivers",
            json!([{ "name": "csi.example.com", "nodeID": "other" }]),
            r#"spec.drivers: Invalid value: {"name":"csi.example.com","nodeID":"other"}: field is immutable"#,
        ),
        (
            "storage.k8s.io/v1.CSIStorageCapacity",
            "capacity",
            json!("2Gi"),
            "",
        ),
        (
            "storage.k8s.io/v1.CSIStorageCapacity",
            "storageClassName",
            json!("slow"),
            r#"storageClassName: Invalid value: "slow": field is immutable"#,
        ),
        (
            "storage.k8s.io/v1.StorageClass",
            "allowVolumeExpansion",
            json!(false),
            "",
        ),
        (
            "storage.k8s.io/v1.StorageClass",
            "provisioner",
            json!("other.example.com"),
            "provisioner: Forbidden: updates to provisioner are forbidden.",
        ),
        (
            "storage.k8s.io/v1.StorageClass",
            "volumeBindingMode",
            json!("Immediate"),
            r#"volumeBindingMode: Invalid value: "Immediate": field is immutable"#,
        ),
        (
            "storage.k8s.io/v1.VolumeAttachment",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "storage.k8s.io/v1.VolumeAttributesClass",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "storage.k8s.io/v1.VolumeAttributesClass",
            "driverName",
            json!("other.example.com"),
            "driverName: Forbidden: updates to driverName are forbidden.",
        ),
        (
            "storage.k8s.io/v1.VolumeAttributesClass",
            "parameters",
            json!({ "key": "other" }),
            "parameters: Forbidden: updates to parameters are forbidden.",
        ),
        (
            "storagemigration/v1.StorageVersionMigration",
            "metadata.labels",
            json!({ "a": "b" }),
            "",
        ),
        (
            "storagemigration/v1.StorageVersionMigration",
            "spec.resource.resource",
            json!("statefulsets"),
            r#"resource: Invalid value: "statefulsets": field is immutable"#,
        ),
    ]
}

#[test]
fn what_may_change_may_and_what_may_not_may_not() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kinds");
    let name = |sample: &crate::sample::Sample| {
        let file = sample.file.strip_prefix(&root).expect("a file there");
        file.with_extension("").display().to_string()
    };
    let all: BTreeMap<_, _> = samples().map(|sample| (name(&sample), sample)).collect();
    let mut wrong = Vec::new();
    for (kind, path, value, want) in rows() {
        let Some(sample) = all.get(kind) else {
            wrong.push(format!("there is no {kind}"));
            continue;
        };
        let old = sample.read(sample.documents[0].clone()).expect("an object");
        let mut new = Object::from_value(sample.documents[0].clone()).expect("an object");
        let steps: Vec<&str> = path.split('.').collect();
        new.set(&steps, value);
        let new = sample.read(new.into_value()).expect("an object");
        let found = sample.validate_update(&new, &old, false);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        let is_right = match want {
            "" => found.is_empty(),
            want => found.iter().any(|fault| fault == want),
        };
        if !is_right {
            wrong.push(format!("{kind} {path}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
