//! How a request chooses devices, and what their drivers are told.

use serde_json::Value;

use super::identifier::check_driver;
use super::must_be_short;
use crate::api::Field;

const MAX_SELECTORS: usize = 32;
const MAX_EXPRESSION: usize = 10 * 1024;
const MAX_PARAMETERS: usize = 10 * 1024;

/// Checks the expressions that a device must meet.
pub(super) fn check_all(selectors: &Field) {
    if !must_be_short(selectors, MAX_SELECTORS) {
        return;
    }
    for selector in selectors.items() {
        let cel = selector.get("cel");
        if !cel.is_set() {
            cel.required("");
            continue;
        }
        let expression = cel.get("expression");
        if expression.str().len() > MAX_EXPRESSION {
            expression.too_long(MAX_EXPRESSION);
        }
    }
}

/// Checks what the driver is told.
pub(super) fn check_configuration(config: &Field) {
    let opaque = config.get("opaque");
    if !opaque.is_set() {
        return opaque.required("");
    }
    check_driver(&opaque.get("driver"));
    check_raw(&opaque.get("parameters"), MAX_PARAMETERS);
}

/// Checks data that only a driver understands: an object, and not too long.
pub(super) fn check_raw(raw: &Field, max: usize) {
    match raw.value() {
        None | Some(Value::Null) => raw.required(""),
        Some(value) if value.to_string().len() > max => raw.too_long(max),
        Some(Value::Object(_)) => {}
        Some(_) => raw.invalid_value("<value omitted>", "must be a valid JSON object"),
    }
}
