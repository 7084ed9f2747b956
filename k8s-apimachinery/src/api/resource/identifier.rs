//! How drivers, pools, devices and their attributes are called.

use crate::api::Field;
use crate::name;

const MAX_DRIVER: usize = 63;
const MAX_POOL: usize = 253;
const MAX_IDENTIFIER: usize = 32;
const IDENTIFIER: &str = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";

/// Checks the name of a driver: a short domain.
pub(super) fn check_driver(driver: &Field) {
    if driver.must_be_set() {
        check_domain(driver, driver.str());
    }
}

fn check_domain(field: &Field, domain: &str) {
    if domain.len() > MAX_DRIVER {
        field.too_long(MAX_DRIVER);
    }
    for message in name::dns1123_subdomain(&domain.to_lowercase()) {
        field.invalid_value(domain, message);
    }
}

/// Checks the name of a pool: domains separated by slashes.
pub(super) fn check_pool(pool: &Field) {
    if !pool.must_be_set() {
        return;
    }
    if pool.str().len() > MAX_POOL {
        pool.too_long(MAX_POOL);
    }
    for part in pool.str().split('/') {
        for message in name::dns1123_subdomain(part) {
            pool.invalid_value(part, message);
        }
    }
}

/// Checks the name of a device, a request or a counter.
pub(super) fn check_label(label: &Field) {
    for message in name::dns1123_label(label.str()) {
        label.invalid_value(label.str(), message);
    }
}

/// Checks the name of an attribute or a capacity, with or without a domain, at `field`.
pub(super) fn check_qualified(field: &Field, name: &str) {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [identifier] => check_identifier(field, identifier),
        [domain, identifier] => {
            match domain.is_empty() {
                true => field.invalid_value("", "the domain must not be empty"),
                false => check_domain(field, domain),
            }
            match identifier.is_empty() {
                true => field.invalid_value("", "the name must not be empty"),
                false => check_identifier(field, identifier),
            }
        }
        _ => field.invalid_value(name, "must not contain more than one slash"),
    }
}

/// Checks the name of an attribute that must have its domain.
pub(super) fn check_fully_qualified(field: &Field) {
    check_qualified(field, field.str());
    if !field.str().contains('/') {
        field.invalid("a fully qualified name must be a domain and a name separated by a slash");
    }
}

fn check_identifier(field: &Field, text: &str) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.len() > MAX_IDENTIFIER {
        field.too_long(MAX_IDENTIFIER);
    }
    let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if text.is_empty() || starts_with_digit || !text.chars().all(is_word) {
        field.invalid_value(text, IDENTIFIER);
    }
}

/// Checks a UUID in its one form.
pub(super) fn check_uuid(uuid: &Field) {
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let text = uuid.str();
    let is_formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, c)| match is_dash(at) {
            true => c == b'-',
            false => matches!(c, b'0'..=b'9' | b'a'..=b'f'),
        });
    if !is_formed {
        uuid.invalid_value(
            text,
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::json;

    #[track_caller]
    fn check(check: fn(&Field), text: &str, want: &[&str]) {
        let faults = collect(&object(json!({"x": text})), |root| check(&root.get("x")));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn pools_and_drivers_are_domains() {
        check(check_driver, "gpu.Example.com", &[]);
        check(check_pool, "a.example.com/b", &[]);
        check(check_driver, "", &["x: Required value"]);
        let long = format!("a.{}", "b".repeat(62));
        check(
            check_driver,
            &long,
            &["x: Too long: may not be more than 63 bytes"],
        );
    }

    #[test]
    fn attributes_have_a_domain_where_it_matters() {
        check(check_fully_qualified, "gpu.example.com/model", &[]);
        check(
            check_fully_qualified,
            "model",
            &[
                r#"x: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash"#,
            ],
        );
        check(
            check_fully_qualified,
            "/1",
            &[
                r#"x: Invalid value: "": the domain must not be empty"#,
                &format!(r#"x: Invalid value: "1": {IDENTIFIER}"#),
            ],
        );
        check(
            check_fully_qualified,
            "a/b/c",
            &[r#"x: Invalid value: "a/b/c": must not contain more than one slash"#],
        );
    }

    #[test]
    fn uuids_are_lowercase() {
        check(check_uuid, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", &[]);
        let upper = "6BA7B810-9DAD-11D1-80B4-00C04FD430C8";
        let faults = collect(&object(json!({"x": upper})), |root| {
            check_uuid(&root.get("x"))
        });
        assert_eq!(faults.len(), 1);
    }
}
