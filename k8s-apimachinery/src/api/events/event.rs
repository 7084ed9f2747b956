//! Event of `events.k8s.io`: who did what to which object, reported strictly.

use crate::api::core::event::check_involved_namespace;
use crate::api::{Field, NameRule, Rules};
use crate::name;

/// Rules of `events.k8s.io/v1` `Event`.
pub struct Event;

impl Rules for Event {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        check_involved_namespace(object, "regarding");
        // Events of the older form, written through the core group, stay writable.
        if object.get("deprecatedFirstTimestamp").is_set() && !object.get("eventTime").is_set() {
            return;
        }
        object.get("eventTime").must_be_set();
        check_reported(object, "reportingController");
    }

    fn check_update(&self, new: &Field, old: &Field) {
        const FIXED: [&str; 8] = [
            "action",
            "eventTime",
            "note",
            "reason",
            "regarding",
            "related",
            "reportingController",
            "reportingInstance",
        ];
        for field in FIXED {
            new.get(field).must_not_change(&old.get(field));
        }
    }
}

/// What every event with an `eventTime` must say. `controller` is the field with the reporter's
/// name, which the two groups call differently.
pub(in crate::api) fn check_reported(event: &Field, controller: &str) {
    const MAX_NOTE: usize = 1024;
    let controller = event.get(controller);
    if controller.must_be_set() {
        controller.invalid_for(name::qualified_name(controller.str()));
    }
    for field in ["reportingInstance", "action", "reason"] {
        let field = event.get(field);
        if field.must_be_set() && field.str().len() > 128 {
            field.invalid("can have at most 128 characters");
        }
    }
    for note in ["note", "message"] {
        let note = event.get(note);
        if note.str().len() > MAX_NOTE {
            note.invalid("can have at most 1024 characters");
        }
    }
    let type_ = event.get("type");
    if !matches!(type_.str(), "Normal" | "Warning") {
        type_.invalid_value("", format!("has invalid value: {}", type_.str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::{Value, json};

    fn event() -> Value {
        json!({
            "eventTime": "2026-01-01T00:00:00.000000Z", "action": "a", "reason": "r", "type": "Normal",
            "reportingController": "example.com/c", "reportingInstance": "i", "regarding": {"namespace": "default"},
        })
    }

    #[test]
    fn reporter_action_and_reason_are_required() {
        check_create(&Event, named(event()), &[]);
        let mut silent = event();
        silent["action"] = json!("");
        silent["type"] = json!("Odd");
        check_create(
            &Event,
            named(silent),
            &[
                "action: Required value",
                r#"type: Invalid value: "": has invalid value: Odd"#,
            ],
        );
    }
}
