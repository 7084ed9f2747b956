//! Taints of devices, and the claims that bear them (KEP-5055).

use crate::api::Field;
use crate::api::metadata::check_label_key;
use crate::name;

const EFFECTS: [&str; 3] = ["NoExecute", "NoSchedule", "None"];

/// Checks one taint. An effect that was there already is left alone.
pub(super) fn check(taint: &Field, old_effect: &str) {
    let [key, value, effect] = ["key", "value", "effect"].map(|field| taint.get(field));
    check_label_key(&key, key.str());
    value.invalid_for(name::label_value(value.str()));
    if old_effect.is_empty() || effect.str() != old_effect {
        effect.must_be_one_of(&EFFECTS);
    }
}

/// Checks one toleration.
pub(super) fn check_toleration(toleration: &Field) {
    let [key, operator, value, effect] =
        ["key", "operator", "value", "effect"].map(|field| toleration.get(field));
    if !key.is_empty() {
        check_label_key(&key, key.str());
    }
    match operator.str() {
        "Exists" => {
            if !value.is_empty() {
                value.invalid("must be empty for operator `Exists`");
            }
        }
        "Equal" => value.invalid_for(name::label_value(value.str())),
        _ => operator.must_be_one_of(&["Equal", "Exists"]),
    }
    effect.may_be_one_of(&EFFECTS);
}
