//! Reporting faults of a field.

use serde_json::Value;

use super::{Field, Tree};
use crate::api::error::{FieldError, FieldErrorKind};

impl Field<'_, '_> {
    fn report(&self, kind: FieldErrorKind, bad_value: Value, detail: String) {
        let field = self.path();
        self.faults.borrow_mut().push(FieldError {
            field,
            kind,
            bad_value,
            detail,
        });
    }

    fn own_value(&self) -> Value {
        match self.tree {
            Tree::Root(map) => Value::Object(map.clone()),
            Tree::Value(value) => value.clone(),
            Tree::Absent => Value::Null,
        }
    }

    /// The field must be set.
    pub fn required(&self, detail: impl Into<String>) {
        self.report(
            FieldErrorKind::Required,
            Value::String(String::new()),
            detail.into(),
        );
    }

    /// The value is wrong, for the given reason.
    pub fn invalid(&self, detail: impl Into<String>) {
        self.report(FieldErrorKind::Invalid, self.own_value(), detail.into());
    }

    /// A value other than the field's own is wrong: a key, or what was computed from the field.
    pub fn invalid_value(&self, bad_value: impl Into<Value>, detail: impl Into<String>) {
        self.report(FieldErrorKind::Invalid, bad_value.into(), detail.into());
    }

    /// The value is wrong as a whole, and too much to be shown.
    pub fn invalid_whole(&self, detail: impl Into<String>) {
        self.report(FieldErrorKind::InvalidWhole, Value::Null, detail.into());
    }

    /// The value is wrong for each of the given reasons.
    pub fn invalid_for(&self, messages: impl IntoIterator<Item = impl Into<String>>) {
        for message in messages {
            self.invalid(message);
        }
    }

    /// The field must not be set or changed, for the given reason.
    pub fn forbidden(&self, detail: impl Into<String>) {
        self.report(
            FieldErrorKind::Forbidden,
            Value::String(String::new()),
            detail.into(),
        );
    }

    /// The value is none of those supported.
    pub fn unsupported(&self, supported: &[&str]) {
        let value = match self.own_value() {
            Value::Null => Value::String(String::new()),
            value => value,
        };
        self.unsupported_value(value, supported);
    }

    /// A value other than the field's own is none of those supported.
    pub fn unsupported_value(&self, bad_value: impl Into<Value>, supported: &[&str]) {
        let quoted: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        self.report(FieldErrorKind::NotSupported, bad_value.into(), detail);
    }

    /// The value occurs twice among its siblings.
    pub fn duplicate(&self) {
        self.report(FieldErrorKind::Duplicate, self.own_value(), String::new());
    }

    /// The value occurs twice among its siblings, which must differ in this.
    pub fn duplicate_because(&self, detail: impl Into<String>) {
        self.report(FieldErrorKind::Duplicate, self.own_value(), detail.into());
    }

    /// A value other than the field's own occurs twice.
    pub fn duplicate_value(&self, bad_value: impl Into<Value>) {
        self.report(FieldErrorKind::Duplicate, bad_value.into(), String::new());
    }

    /// The value refers to something that isn't there.
    pub fn not_found(&self) {
        self.report(FieldErrorKind::NotFound, self.own_value(), String::new());
    }

    /// A value other than the field's own refers to something that isn't there, although it must for this reason.
    pub fn not_found_because(&self, bad_value: impl Into<Value>, detail: impl Into<String>) {
        self.report(FieldErrorKind::NotFound, bad_value.into(), detail.into());
    }

    /// A value other than the field's own refers to something that isn't there.
    pub fn not_found_value(&self, bad_value: impl Into<Value>) {
        self.report(FieldErrorKind::NotFound, bad_value.into(), String::new());
    }

    /// The value has more than `max` bytes.
    pub fn too_long(&self, max: usize) {
        let detail = format!("may not be more than {max} bytes");
        self.report(FieldErrorKind::TooLong, Value::Null, detail);
    }

    /// The list has more than `max` items.
    pub fn too_many(&self, max: usize) {
        let items = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {items}");
        self.report(FieldErrorKind::TooMany, self.len().into(), detail);
    }
}
