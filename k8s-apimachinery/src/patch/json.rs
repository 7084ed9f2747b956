//! JSON patch, RFC 6902: the `json-patch` crate, with bounds.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::PatchError;

/// The most operations that one patch may have, as in Kubernetes.
pub const MAX_OPERATIONS: usize = 10_000;

/// The most bytes that `copy` operations may add up to: an object can't be larger anyway, while a
/// few dozen copies of the document into itself would fill any memory.
pub const MAX_COPIED: usize = 3 << 20;

/// Applies the operations in order.
///
/// ```
/// use serde_json::json;
/// let mut pod = json!({ "spec": { "nodeName": "a" } });
/// let patch = json!([{ "op": "replace", "path": "/spec/nodeName", "value": "b" }]);
/// k8s_apimachinery::patch::json::apply(&mut pod, &patch).unwrap();
/// assert_eq!(pod["spec"]["nodeName"], "b");
/// ```
pub fn apply(target: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let operations = patch.as_array().map_or(0, Vec::len);
    if operations > MAX_OPERATIONS {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {operations}"
        );
        return Err(PatchError::TooLarge(message));
    }
    let Patch(operations) = serde::Deserialize::deserialize(patch)
        .map_err(|error: serde_json::Error| PatchError::Malformed(error.to_string()))?;
    let mut copied = 0;
    for operation in operations {
        if let PatchOperation::Copy(copy) = &operation {
            copied += target.pointer(copy.from.as_str()).map_or(0, size);
            if copied > MAX_COPIED {
                let message = format!("copy operations add up to more than {MAX_COPIED} bytes");
                return Err(PatchError::TooLarge(message));
            }
        }
        json_patch::patch(target, std::slice::from_ref(&operation))
            .map_err(|error| PatchError::Unfit(error.to_string()))?;
    }
    Ok(())
}

/// About the bytes that a value takes when written.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(key, item)| key.len() + size(item) + 4)
                .sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(patch: Value, expected: Result<Value, fn(&PatchError) -> bool>) {
        let mut target = json!({ "a": { "b": [1, 2] }, "c": "d" });
        match (apply(&mut target, &patch), expected) {
            (Ok(()), Ok(expected)) => assert_eq!(target, expected),
            (Err(error), Err(is_expected)) => assert!(is_expected(&error), "{error:?}"),
            (outcome, _) => panic!("{patch}: {outcome:?}, {target}"),
        }
    }

    #[test]
    fn operations_apply_in_order() {
        check(
            json!([{ "op": "add", "path": "/a/b/-", "value": 3 }, { "op": "remove", "path": "/c" }]),
            Ok(json!({ "a": { "b": [1, 2, 3] } })),
        );
        check(
            json!([{ "op": "test", "path": "/c", "value": "d" }, { "op": "move", "from": "/c", "path": "/e" }]),
            Ok(json!({ "a": { "b": [1, 2] }, "e": "d" })),
        );
    }

    #[test]
    fn what_does_not_fit_is_told_apart_from_what_is_no_patch() {
        check(
            json!([{ "op": "test", "path": "/c", "value": "x" }]),
            Err(|e| matches!(e, PatchError::Unfit(_))),
        );
        check(
            json!([{ "op": "remove", "path": "/gone" }]),
            Err(|e| matches!(e, PatchError::Unfit(_))),
        );
        check(
            json!({ "op": "remove" }),
            Err(|e| matches!(e, PatchError::Malformed(_))),
        );
        check(
            json!([{ "op": "explode", "path": "/" }]),
            Err(|e| matches!(e, PatchError::Malformed(_))),
        );
    }

    #[test]
    fn copies_of_copies_stay_in_bounds() {
        let double = json!({ "op": "copy", "from": "/a/b", "path": "/a/b/-" });
        check(
            Value::Array(vec![double; 64]),
            Err(|e| matches!(e, PatchError::TooLarge(_))),
        );
        let test = json!({ "op": "test", "path": "/c", "value": "d" });
        check(
            Value::Array(vec![test; MAX_OPERATIONS + 1]),
            Err(|e| matches!(e, PatchError::TooLarge(_))),
        );
    }
}
