//! JSON patch (RFC 6902): `application/json-patch+json`.

use std::slice;

use json_patch::{Patch, PatchErrorKind, PatchOperation};
use serde::Deserialize;
use serde_json::Value;

use super::PatchError;
use crate::scheme::codec::{MAX_DEPTH, height};

/// Most operations in one patch.
pub const MAX_OPERATIONS: usize = 10_000;
/// Most bytes of JSON that the copies of one patch may add, as in Kubernetes the limit of a request's
/// body: thirty copies of a value into itself would fill any memory.
pub const MAX_COPIED: usize = 3 << 20;

/// Applies the operations in order, all or none.
///
/// ```
/// use k8s_apimachinery::patch;
/// use serde_json::json;
/// let mut object = json!({"spec": {"replicas": 1}});
/// patch::json::apply(&mut object, &json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]))?;
/// assert_eq!(object["spec"]["replicas"], 2);
/// # Ok::<(), patch::PatchError>(())
/// ```
pub fn apply(object: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let found = patch.as_array().map_or(0, Vec::len);
    if found > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations { found });
    }
    let patch =
        Patch::deserialize(patch).map_err(|error| PatchError::Malformed(error.to_string()))?;
    let mut draft = object.clone();
    let mut copied = 0;
    for operation in &patch.0 {
        if let PatchOperation::Copy(copy) = operation {
            copied += draft.pointer(copy.from.as_str()).map_or(0, size);
            if copied > MAX_COPIED {
                return Err(PatchError::NotApplicable(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit {MAX_COPIED}"
                )));
            }
        }
        if depth(&draft, operation) > MAX_DEPTH {
            return Err(PatchError::NotApplicable("exceeded max depth".into()));
        }
        json_patch::patch(&mut draft, slice::from_ref(operation))
            .map_err(|error| PatchError::NotApplicable(explain(operation, &error.kind)))?;
    }
    *object = draft;
    Ok(())
}

/// How deeply what an operation puts into a document is nested there. Patches could build, step by step, what no
/// decoder reads again.
fn depth(document: &Value, operation: &PatchOperation) -> usize {
    let value = match operation {
        PatchOperation::Add(operation) => Some(&operation.value),
        PatchOperation::Replace(operation) => Some(&operation.value),
        PatchOperation::Move(operation) => document.pointer(operation.from.as_str()),
        PatchOperation::Copy(operation) => document.pointer(operation.from.as_str()),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => None,
    };
    value.map_or(0, |value| operation.path().count() + height(value))
}

/// Bytes of a value as JSON.
fn size(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(0, |text| text.len())
}

fn explain(operation: &PatchOperation, kind: &PatchErrorKind) -> String {
    let name = match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    };
    let path = operation.path();
    let from = match operation {
        PatchOperation::Move(operation) => operation.from.as_str(),
        PatchOperation::Copy(operation) => operation.from.as_str(),
        _ => path.as_str(),
    };
    match kind {
        PatchErrorKind::TestFailed => format!("testing value {path} failed: test failed"),
        PatchErrorKind::InvalidFromPointer => {
            format!(
                "{name} operation does not apply: doc is missing from path: {from:?}: missing value"
            )
        }
        PatchErrorKind::InvalidPointer => {
            format!(
                "{name} operation does not apply: doc is missing path: {:?}: missing value",
                path.as_str()
            )
        }
        other => format!("{name} operation does not apply: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_apply_in_order() {
        let mut object = json!({"a": {"b": [1, 2]}, "x~y": 1, "p/q": 1});
        let patch = json!([
            {"op": "test", "path": "/a/b/0", "value": 1},
            {"op": "add", "path": "/a/b/-", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
            {"op": "replace", "path": "/x~0y", "value": 2},
            {"op": "move", "from": "/p~1q", "path": "/moved"},
            {"op": "copy", "from": "/moved", "path": "/a/c"},
        ]);
        apply(&mut object, &patch).unwrap();
        assert_eq!(
            object,
            json!({"a": {"b": [2, 3], "c": 1}, "x~y": 2, "moved": 1})
        );
    }

    #[test]
    fn copies_that_double_the_object_are_stopped() {
        let before = json!({"a": {"text": "x".repeat(1000)}});
        let mut object = before.clone();
        let copy = |n| json!({"op": "copy", "from": "/a", "path": format!("/a/{n}")});
        let bomb: Vec<Value> = (0..40).map(copy).collect();
        let error = apply(&mut object, &bomb.into()).unwrap_err().to_string();
        assert!(error.contains("exceeding the limit 3145728"), "{error}");
        assert_eq!(object, before);
    }

    #[test]
    fn what_no_decoder_could_read_again_is_not_built() {
        let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
        let path = "/a".repeat(100);
        let mut object = deep(100);
        apply(
            &mut object,
            &json!([{"op": "add", "path": path, "value": deep(27)}]),
        )
        .unwrap();
        let before = object.clone();
        let complaint = |operation: Value| {
            let error = apply(&mut object.clone(), &json!([operation])).unwrap_err();
            error.to_string()
        };
        for operation in [
            json!({"op": "replace", "path": path, "value": deep(28)}),
            json!({"op": "copy", "from": "/a", "path": "/a/a/b"}),
            json!({"op": "move", "from": "/a/a", "path": "/a/b/b"}),
        ] {
            let is_parent_there = operation["op"] != "move";
            let text = complaint(operation);
            assert!(!is_parent_there || text == "exceeded max depth", "{text}");
        }
        // Each copy would double the depth.
        let bomb = |n: u32| {
            let path = "/a".repeat(2usize.pow(n));
            json!({"op": "copy", "from": "", "path": path})
        };
        let bomb: Vec<Value> = (0..18).map(bomb).collect();
        assert!(apply(&mut json!({"a": 1}), &bomb.into()).is_err());
        assert_eq!(object, before);
    }

    #[test]
    fn failure_changes_nothing_and_says_where() {
        let complaint = |operation: Value| {
            let before = json!({"a": 1});
            let mut object = before.clone();
            let error = apply(
                &mut object,
                &json!([{"op": "add", "path": "/b", "value": 1}, operation]),
            )
            .unwrap_err();
            assert_eq!(object, before);
            error
        };
        assert_eq!(
            complaint(json!({"op": "test", "path": "/a", "value": 2})),
            PatchError::NotApplicable("testing value /a failed: test failed".into())
        );
        assert_eq!(
            complaint(json!({"op": "replace", "path": "/x/y", "value": 2})).to_string(),
            "replace operation does not apply: doc is missing path: \"/x/y\": missing value"
        );
        assert!(
            complaint(json!({"op": "copy", "from": "/x", "path": "/y"}))
                .to_string()
                .contains("\"/x\"")
        );
    }

    #[test]
    fn malformed_patches_are_refused() {
        for patch in [
            json!({}),
            json!([{"op": "mend", "path": "/a"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
        ] {
            assert!(
                matches!(apply(&mut json!({}), &patch), Err(PatchError::Malformed(_))),
                "{patch}"
            );
        }
        let many = Value::Array(vec![json!({}); MAX_OPERATIONS + 1]);
        assert_eq!(
            apply(&mut json!({}), &many).unwrap_err().to_string(),
            "The allowed maximum operations in a JSON patch is 10000, got 10001"
        );
    }
}
