//! `metav1.Status`: what a client gets instead of an object, as a tree.

use serde_json::{Map, Value, json};

use crate::object::Object;

/// Builds a `metav1.Status`.
///
/// ```
/// use k8s_apimachinery::status::Status;
/// let status = Status::failure(404, "NotFound", r#"pods "web" not found"#).details("", "pods", "web");
/// assert_eq!(status.object().str(&["details", "kind"]), Some("pods"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Status(Object);

impl Status {
    /// A failure: HTTP code, reason for programs (`NotFound`), message for people.
    pub fn failure(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let mut status = Self::with_outcome("Failure");
        status.set("message", Value::String(message.into()));
        status.set("reason", reason.into());
        status.set("code", code.into());
        status
    }

    /// A success, as a finished delete answers with.
    pub fn success() -> Self {
        Self::with_outcome("Success")
    }

    /// What it is about: group, resource (or kind, for failed validations) and name, each left out when empty.
    pub fn details(mut self, group: &str, kind: &str, name: &str) -> Self {
        for (field, text) in [("group", group), ("kind", kind), ("name", name)] {
            if !text.is_empty() {
                self.0.set(&["details", field], text.into());
            }
        }
        self
    }

    /// The uid of what it is about.
    pub fn uid(mut self, uid: &str) -> Self {
        self.0.set(&["details", "uid"], uid.into());
        self
    }

    /// Adds a cause: reason (`FieldValueRequired`), message and field (`spec.containers[0].image`).
    pub fn cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let mut cause = Map::new();
        for (name, text) in [("reason", reason), ("message", message), ("field", field)] {
            if !text.is_empty() {
                cause.insert(name.into(), text.into());
            }
        }
        let mut causes = self
            .0
            .remove(&["details", "causes"])
            .unwrap_or_else(|| json!([]));
        if let Some(list) = causes.as_array_mut() {
            list.push(Value::Object(cause));
        }
        self.0.set(&["details", "causes"], causes);
        self
    }

    /// Seconds to wait before trying again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0
            .set(&["details", "retryAfterSeconds"], seconds.into());
        self
    }

    /// The HTTP status code; 200 for a success.
    pub fn code(&self) -> u16 {
        let code = self.0.get(&["code"]).and_then(Value::as_u64);
        code.and_then(|code| code.try_into().ok()).unwrap_or(200)
    }

    /// The tree.
    pub fn object(&self) -> &Object {
        &self.0
    }

    /// The tree, owned.
    pub fn into_object(self) -> Object {
        self.0
    }

    fn with_outcome(outcome: &str) -> Self {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": outcome});
        Self(Object::from_value(status).expect("the literal is a JSON object"))
    }

    fn set(&mut self, name: &str, value: Value) {
        self.0.as_map_mut().insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_and_why() {
        let status = Status::failure(422, "Invalid", "Pod \"a\" is invalid")
            .details("", "Pod", "a")
            .cause("FieldValueRequired", "Required value", "spec.containers");
        assert_eq!(status.code(), 422);
        let expected = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "Pod \"a\" is invalid", "reason": "Invalid", "code": 422,
            "details": {"kind": "Pod", "name": "a", "causes": [
                {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"},
            ]},
        });
        assert_eq!(status.into_object().into_value(), expected);
    }

    #[test]
    fn a_success_has_no_reason() {
        let status = Status::success();
        assert_eq!(status.code(), 200);
        assert_eq!(status.object().str(&["status"]), Some("Success"));
    }
}
