//! Conditions of a status, one per type.

use k8s_apimachinery::{Object, Value};

/// Puts a condition into the status, in the place of the one of its type. The time of its last transition is `now`, or
/// stays what it was while the status is the same.
pub(crate) fn set(object: &mut Object, mut condition: Value, now: &str) {
    let path = ["status", "conditions"];
    let conditions = object.get(&path).and_then(Value::as_array).cloned();
    let mut conditions = conditions.unwrap_or_default();
    let mut same = conditions
        .iter_mut()
        .find(|each| each["type"] == condition["type"]);
    condition["lastTransitionTime"] = match &same {
        Some(old) if old["status"] == condition["status"] => old["lastTransitionTime"].clone(),
        _ => now.into(),
    };
    match &mut same {
        Some(old) => **old = condition,
        None => conditions.push(condition),
    }
    object.set(&path, Value::Array(conditions));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_time_moves_with_the_status_alone() {
        let mut object = Object::default();
        let times = |object: &Object| -> Vec<Value> {
            let list = object.get(&["status", "conditions"]).unwrap();
            let list = list.as_array().unwrap().iter();
            list.map(|each| each["lastTransitionTime"].clone())
                .collect()
        };
        let condition =
            |status: &str, reason: &str| json!({ "type": "A", "status": status, "reason": reason });
        set(&mut object, json!({ "type": "B", "status": "True" }), "0");
        set(&mut object, condition("True", "x"), "1");
        set(&mut object, condition("True", "y"), "2");
        assert_eq!(times(&object), ["0", "1"]);
        set(&mut object, condition("False", "y"), "3");
        assert_eq!(times(&object), ["0", "3"]);
        let list = object.get(&["status", "conditions"]).unwrap();
        assert_eq!(list[1]["reason"], "y");
    }
}
