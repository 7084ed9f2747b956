//! Checks of `metav1.Condition`s, as statuses of newer kinds carry them.

use super::field::Field;
use super::metadata::check_label_key;

const MAX_REASON: usize = 1024;
const MAX_MESSAGE: usize = 32 * 1024;
const REASON: &str = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/// Checks a list of conditions: each type once, and each complete.
pub(crate) fn check_conditions(conditions: &Field) {
    conditions.must_differ_in("type");
    for condition in conditions.items() {
        let type_ = condition.get("type");
        check_label_key(&type_, type_.str());
        condition
            .get("status")
            .must_be_one_of(&["False", "True", "Unknown"]);
        let generation = condition.get("observedGeneration");
        if generation.int().is_some_and(|generation| generation < 0) {
            generation.invalid("must be greater than or equal to zero");
        }
        let since = condition.get("lastTransitionTime");
        if since.is_empty() {
            since.required("must be set");
        }
        check_reason(&condition.get("reason"));
        let message = condition.get("message");
        if message.str().len() > MAX_MESSAGE {
            message.too_long(MAX_MESSAGE);
        }
    }
}

fn check_reason(reason: &Field) {
    let text = reason.str();
    if text.is_empty() {
        return reason.required("must be set");
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_formed = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(is_word)
        && text.chars().all(|c| is_word(c) || matches!(c, ',' | ':'));
    if !is_formed {
        reason.invalid(REASON);
    }
    if text.len() > MAX_REASON {
        reason.too_long(MAX_REASON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(conditions: Value, want: &[&str]) {
        let faults = collect(&object(json!({"c": conditions})), |root| {
            check_conditions(&root.get("c"));
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn conditions_are_complete() {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Fine", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        check(json!([ready]), &[]);
        check(
            json!([ready, ready]),
            &[r#"c[1].type: Duplicate value: "Ready""#],
        );
        check(
            json!([{"type": "Ready", "status": "Yes"}]),
            &[
                r#"c[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown""#,
                "c[0].lastTransitionTime: Required value: must be set",
                "c[0].reason: Required value: must be set",
            ],
        );
        let mut odd = ready.clone();
        odd["reason"] = "is fine".into();
        check(
            json!([odd]),
            &[&format!(
                r#"c[0].reason: Invalid value: "is fine": {REASON}"#
            )],
        );
    }
}
