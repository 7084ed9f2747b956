//! ConfigMap: settings for pods.

use crate::api::{Field, NameRule, Rules};

/// Bytes that all data of a ConfigMap or Secret may have together.
pub(super) const MAX_DATA: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// Rules of `v1` `ConfigMap`.
pub struct ConfigMap;

impl Rules for ConfigMap {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let (data, binary) = (object.get("data"), object.get("binaryData"));
        let mut size = 0;
        for (key, value) in data.entries() {
            check_key(&value, key);
            if binary.key(key).is_set() {
                value.invalid_value(key, "duplicate of key present in binaryData");
            }
            size += value.str().len();
        }
        for (key, value) in binary.entries() {
            check_key(&value, key);
            size += decoded_len(value.str());
        }
        if size > MAX_DATA {
            object.too_long(MAX_DATA);
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        check_frozen(new, old, &["data", "binaryData"]);
    }
}

/// Once `immutable` is true, neither it nor the data may change.
pub(super) fn check_frozen(new: &Field, old: &Field, fields: &[&str]) {
    if !old.get("immutable").is_true() {
        return;
    }
    if !new.get("immutable").is_true() {
        new.get("immutable").forbidden(FROZEN);
    }
    for field in fields {
        let field_new = new.get(field);
        if !field_new.same_as(&old.get(field)) {
            field_new.forbidden(FROZEN);
        }
    }
}

/// Checks a key of a ConfigMap or Secret; faults are reported at `field`.
pub(super) fn check_key(field: &Field, key: &str) {
    for fault in key_faults(key) {
        field.invalid_value(key, fault);
    }
}

/// What is wrong with a key, in Kubernetes' words.
pub(super) fn key_faults(key: &str) -> Vec<String> {
    const CHARACTERS: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let is_allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    let step = match key {
        "." => Some("must not be '.'"),
        ".." => Some("must not be '..'"),
        _ if key.starts_with("..") => Some("must not start with '..'"),
        _ => None,
    };
    let faults = [
        (key.len() > 253).then_some("must be no more than 253 bytes"),
        (key.is_empty() || !key.bytes().all(is_allowed)).then_some(CHARACTERS),
        step,
    ];
    faults.into_iter().flatten().map(str::to_owned).collect()
}

/// Bytes that a base64 text stands for.
pub(super) fn decoded_len(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, named};
    use serde_json::json;

    #[test]
    fn keys_are_file_names() {
        check_create(&ConfigMap, named(json!({"data": {"a.b-c_D": "x"}})), &[]);
        check_create(
            &ConfigMap,
            named(json!({"data": {"..": "x"}})),
            &[r#"data[..]: Invalid value: "..": must not be '..'"#],
        );
        check_create(
            &ConfigMap,
            named(json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}})),
            &[r#"data[a]: Invalid value: "a": duplicate of key present in binaryData"#],
        );
    }

    #[test]
    fn immutable_ones_keep_their_data() {
        let old = || named(json!({"immutable": true, "data": {"a": "x"}}));
        check_update(&ConfigMap, old(), old(), &[]);
        check_update(
            &ConfigMap,
            old(),
            named(json!({"data": {"a": "y"}})),
            &[
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ],
        );
    }

    #[test]
    fn a_mebibyte_is_the_limit() {
        let big = "x".repeat(MAX_DATA + 1);
        check_create(
            &ConfigMap,
            named(json!({"data": {"a": big}})),
            &[": Too long: may not be more than 1048576 bytes"],
        );
    }
}
