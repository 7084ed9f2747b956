//! Checks of a field that many kinds share.

use std::collections::HashSet;

use super::Field;
use crate::name;

/// Kubernetes' words for a field that must not change.
pub const IMMUTABLE: &str = "field is immutable";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

impl Field<'_, '_> {
    /// Reports the field as required unless it is set and not empty. Says whether it is.
    pub fn must_be_set(&self) -> bool {
        if self.is_empty() {
            self.required("");
        }
        !self.is_empty()
    }

    /// Reports the field as required unless it is there, empty or not. Says whether it is.
    pub fn must_be_there(&self) -> bool {
        if !self.is_set() {
            self.required("");
        }
        self.is_set()
    }

    /// A name with a domain in front, such as `example.com/controller`. Of a path whose one part is wrong, that part is
    /// shown.
    pub fn must_be_domain_path(&self) {
        const PATH: &str =
            "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
        let is_path_byte = |c: u8| c.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&c);
        match self.str().split_once('/') {
            _ if self.is_empty() => self.required(""),
            None | Some(("", _) | (_, "")) => {
                self.invalid("must be a domain-prefixed path (such as \"acme.io/foo\")");
            }
            Some((domain, path)) => {
                for message in name::dns1123_subdomain(domain) {
                    self.invalid_value(domain, message);
                }
                if !path.bytes().all(is_path_byte) {
                    self.invalid_value(path, PATH);
                }
            }
        }
    }

    /// A text that must be one of the given; an absent one is required.
    pub fn must_be_one_of(&self, supported: &[&str]) {
        if self.is_empty() {
            self.required("");
        } else {
            self.may_be_one_of(supported);
        }
    }

    /// A text that, when given, must be one of the given.
    pub fn may_be_one_of(&self, supported: &[&str]) {
        if !self.is_empty() && !supported.contains(&self.str()) {
            self.unsupported(supported);
        }
    }

    /// A number that, when given, must not be negative.
    pub fn must_not_be_negative(&self) {
        if self.int().is_some_and(|n| n < 0) {
            self.invalid(NOT_NEGATIVE);
        }
    }

    /// A number that, when given, must be greater than zero.
    pub fn must_be_positive(&self) {
        if self.int().is_some_and(|n| n <= 0) {
            self.invalid("must be greater than 0");
        }
    }

    /// A number that, when given, must lie between the bounds.
    pub fn must_be_between(&self, low: i64, high: i64) {
        if self.int().is_some_and(|n| !(low..=high).contains(&n)) {
            self.invalid(format!("must be between {low} and {high}, inclusive"));
        }
    }

    /// A port number; an absent one counts as zero.
    pub fn must_be_port(&self) {
        if !(1..=65535).contains(&self.int().unwrap_or(0)) {
            self.invalid_value(
                self.int().unwrap_or(0),
                "must be between 1 and 65535, inclusive",
            );
        }
    }

    /// The field must hold what it held in the old object.
    pub fn must_not_change(&self, old: &Field) {
        if !self.same_as(old) {
            self.invalid(IMMUTABLE);
        }
    }

    /// Reports each item whose `key` repeats that of an earlier one.
    pub fn must_differ_in(&self, key: &str) {
        let mut seen = HashSet::new();
        for item in self.items() {
            let field = item.get(key);
            if !field.is_empty() && !seen.insert(field.str()) {
                field.duplicate();
            }
        }
    }
}
