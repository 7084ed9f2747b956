use serde_json::json;

use super::*;
use crate::api::testing::{check_create, check_status, check_update, named};

const KEPT: &str = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

fn claim(fields: Value) -> Object {
    let mut spec =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}});
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    named(json!({"spec": spec}))
}

fn bound(size: &str, capacity: &str) -> Object {
    let mut object = claim(json!({"resources": {"requests": {"storage": size}}}));
    object.set(
        &["status"],
        json!({"phase": "Bound", "capacity": {"storage": capacity}}),
    );
    object
}

fn annotated(annotation: &str, fields: Value) -> Object {
    let mut object = claim(fields);
    let path = ["metadata", "annotations", CLASS_ANNOTATION];
    object.set(&path, annotation.into());
    object
}

#[test]
fn a_claim_asks_for_storage() {
    check_create(&PersistentVolumeClaim, claim(json!({})), &[]);
    check_create(
        &PersistentVolumeClaim,
        claim(json!({"resources": {"requests": {"storage": "0"}}})),
        &[r#"spec.resources[storage]: Invalid value: "0": must be greater than zero"#],
    );
    check_create(
        &PersistentVolumeClaim,
        claim(json!({"accessModes": [], "resources": {}})),
        &[
            "spec.accessModes: Required value: at least 1 access mode is required",
            "spec.resources[storage]: Required value",
        ],
    );
}

#[test]
fn a_volume_and_a_class_are_given_once() {
    let volume = |name: &str| claim(json!({"volumeName": name}));
    check_update(&PersistentVolumeClaim, claim(json!({})), volume("a"), &[]);
    check_update(&PersistentVolumeClaim, volume("a"), volume("b"), &[KEPT]);
    let class = |name: &str| claim(json!({"storageClassName": name}));
    check_update(&PersistentVolumeClaim, claim(json!({})), class("a"), &[]);
    check_update(&PersistentVolumeClaim, class("a"), class("b"), &[KEPT]);
}

#[test]
fn a_class_moves_from_its_annotation_into_its_field() {
    let old = || annotated("a", json!({}));
    let moved = |class: &str| claim(json!({"storageClassName": class}));
    check_update(&PersistentVolumeClaim, old(), moved("a"), &[]);
    check_update(
        &PersistentVolumeClaim,
        old(),
        annotated("a", json!({"storageClassName": "a"})),
        &[],
    );
    let annotation = "metadata.annotations.volume.beta.kubernetes.io/storage-class: Invalid value";
    check_update(
        &PersistentVolumeClaim,
        old(),
        moved("b"),
        &[&format!(r#"{annotation}: "": field is immutable"#), KEPT],
    );
    check_update(
        &PersistentVolumeClaim,
        old(),
        annotated("b", json!({})),
        &[&format!(r#"{annotation}: "b": field is immutable"#)],
    );
}

#[test]
fn only_a_bound_claim_grows_and_shrinks_down_to_what_there_is() {
    check_update(
        &PersistentVolumeClaim,
        bound("2Gi", "2Gi"),
        bound("3Gi", "2Gi"),
        &[],
    );
    check_update(
        &PersistentVolumeClaim,
        bound("4Gi", "2Gi"),
        bound("3Gi", "2Gi"),
        &[],
    );
    check_update(
        &PersistentVolumeClaim,
        bound("4Gi", "2Gi"),
        bound("2Gi", "2Gi"),
        &["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
    );
    check_update(
        &PersistentVolumeClaim,
        claim(json!({})),
        claim(json!({"resources": {"requests": {"storage": "3Gi"}}})),
        &[KEPT],
    );
}

#[test]
fn the_class_of_attributes_changes_but_is_not_taken_back() {
    let class = |name: Value| claim(json!({"volumeAttributesClassName": name}));
    check_update(
        &PersistentVolumeClaim,
        class(json!(null)),
        class(json!("a")),
        &[],
    );
    check_update(
        &PersistentVolumeClaim,
        class(json!("a")),
        class(json!("b")),
        &[],
    );
    let at = "spec.volumeAttributesClassName: Forbidden: update from non-nil value to";
    check_update(
        &PersistentVolumeClaim,
        class(json!("a")),
        class(json!(null)),
        &[&format!("{at} nil is forbidden")],
    );
    check_update(
        &PersistentVolumeClaim,
        class(json!("a")),
        class(json!("")),
        &[&format!("{at} an empty string is forbidden")],
    );
}

#[test]
fn the_status_is_about_storage() {
    let status = |status: Value| {
        let mut object = claim(json!({}));
        object.set(&["status"], status);
        object
    };
    check_status(
        &PersistentVolumeClaim,
        status(json!({
            "capacity": {"storage": "2Gi"}, "allocatedResources": {"storage": "3Gi"},
            "allocatedResourceStatuses": {"storage": "NodeResizePending"},
        })),
        &[],
    );
    check_status(
        &PersistentVolumeClaim,
        status(json!({
            "capacity": {"storage": "-1"}, "allocatedResources": {"cpu": "1"},
            "allocatedResourceStatuses": {"storage": "Soon"},
        })),
        &[
            "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
            r#"status.allocatedResourceStatus: Unsupported value: "storage": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending""#,
            r#"status.allocatedResources: Unsupported value: "cpu": supported values: "storage""#,
        ],
    );
}
