//! A cursor over an object that knows its path: how validation reads values and reports faults.
//!
//! Paths are linked through the stack and rendered only when something is wrong, so that a valid
//! object costs no allocation. All cursors of one object share one list of faults.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::error::{FieldError, FieldErrorKind};
use crate::object::Object;

/// Kubernetes' words for a field that must not change.
pub const IMMUTABLE: &str = "field is immutable";
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// A field of an object under validation, present or absent.
///
/// `'p` is the borrow of the parents (the path), `'v` that of the object's values.
pub struct Field<'p, 'v> {
    faults: &'p RefCell<Vec<FieldError>>,
    parent: Option<&'p Field<'p, 'v>>,
    segment: Segment<'p>,
    tree: Tree<'v>,
}

#[derive(Clone, Copy)]
enum Segment<'p> {
    Root,
    Name(&'p str),
    Index(usize),
    Key(&'p str),
}

#[derive(Clone, Copy)]
enum Tree<'v> {
    Root(&'v Map<String, Value>),
    Value(&'v Value),
    Absent,
}

/// Runs `check` over the object and returns the faults that it reported, in order.
pub fn collect(object: &Object, check: impl FnOnce(&Field)) -> Vec<FieldError> {
    let faults = RefCell::default();
    check(&Field::root(object, &faults));
    faults.into_inner()
}

/// Like [`collect`], with the old object beside the new one.
pub fn collect_update(
    new: &Object,
    old: &Object,
    check: impl FnOnce(&Field, &Field),
) -> Vec<FieldError> {
    let faults = RefCell::default();
    check(&Field::root(new, &faults), &Field::root(old, &faults));
    faults.into_inner()
}

impl<'p, 'v> Field<'p, 'v> {
    fn root(object: &'v Object, faults: &'p RefCell<Vec<FieldError>>) -> Self {
        let tree = Tree::Root(object.as_map());
        Self {
            faults,
            parent: None,
            segment: Segment::Root,
            tree,
        }
    }

    fn child<'c>(&'c self, segment: Segment<'c>, value: Option<&'v Value>) -> Field<'c, 'v> {
        let tree = match value {
            None | Some(Value::Null) => Tree::Absent,
            Some(value) => Tree::Value(value),
        };
        Field {
            faults: self.faults,
            parent: Some(self),
            segment,
            tree,
        }
    }

    /// The named child, which may be absent.
    pub fn get<'c>(&'c self, name: &'c str) -> Field<'c, 'v> {
        self.child(
            Segment::Name(name),
            self.map().and_then(|map| map.get(name)),
        )
    }

    /// The child under a key of a free map, as in `metadata.labels[app]`.
    pub fn key<'c>(&'c self, key: &'c str) -> Field<'c, 'v> {
        self.child(Segment::Key(key), self.map().and_then(|map| map.get(key)))
    }

    /// This path with another field's value: for faults that Kubernetes reports elsewhere than where
    /// the value stands.
    pub fn holding(&self, other: &Field<'_, 'v>) -> Field<'_, 'v> {
        let Field {
            faults,
            parent,
            segment,
            ..
        } = *self;
        Field {
            faults,
            parent,
            segment,
            tree: other.tree,
        }
    }

    /// The items of a list; none when it is absent.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Field<'_, 'v>> {
        let list = self
            .value()
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let numbered = list.iter().enumerate();
        numbered.map(|(i, value)| self.child(Segment::Index(i), Some(value)))
    }

    /// Keys and values of a free map; none when it is absent.
    pub fn entries(&self) -> impl Iterator<Item = (&'v str, Field<'_, 'v>)>
    where
        'v: 'p,
    {
        let entries = self.map().into_iter().flatten();
        entries.map(|(key, value)| (key.as_str(), self.child(Segment::Key(key), Some(value))))
    }

    /// Names of the children that are set.
    pub fn names(&self) -> impl Iterator<Item = &'v str> {
        let entries = self.map().into_iter().flatten();
        entries
            .filter(|(_, value)| !value.is_null())
            .map(|(name, _)| name.as_str())
    }

    /// The value, unless it is absent or this is the whole object.
    pub fn value(&self) -> Option<&'v Value> {
        match self.tree {
            Tree::Value(value) => Some(value),
            Tree::Root(_) | Tree::Absent => None,
        }
    }

    /// The value as an object.
    pub fn map(&self) -> Option<&'v Map<String, Value>> {
        match self.tree {
            Tree::Root(map) => Some(map),
            Tree::Value(value) => value.as_object(),
            Tree::Absent => None,
        }
    }

    /// The value as text; empty when it is absent.
    pub fn str(&self) -> &'v str {
        self.value().and_then(Value::as_str).unwrap_or_default()
    }

    /// The value as a whole number.
    pub fn int(&self) -> Option<i64> {
        self.value().and_then(Value::as_i64)
    }

    /// Whether the value is `true`.
    pub fn is_true(&self) -> bool {
        self.value() == Some(&Value::Bool(true))
    }

    /// Whether the field is there.
    pub fn is_set(&self) -> bool {
        !matches!(self.tree, Tree::Absent)
    }

    /// Whether the field is absent, or an empty text, list or map.
    pub fn is_empty(&self) -> bool {
        match self.value() {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            _ => !self.is_set(),
        }
    }

    /// The number of items of a list or map.
    pub fn len(&self) -> usize {
        match self.value() {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        }
    }

    /// Whether both hold the same; absent and empty are the same.
    pub fn same_as(&self, other: &Field) -> bool {
        self.map() == other.map() && self.value() == other.value()
            || self.is_empty() && other.is_empty()
    }

    /// The path from the object's root, as in `spec.ports[0].name`.
    pub fn path(&self) -> String {
        let mut path = match self.parent {
            Some(parent) => parent.path(),
            None => String::new(),
        };
        match self.segment {
            Segment::Root => {}
            Segment::Name(name) if path.is_empty() => path.push_str(name),
            Segment::Name(name) => {
                path.push('.');
                path.push_str(name);
            }
            Segment::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
            Segment::Key(key) => {
                let _ = write!(path, "[{key}]");
            }
        }
        path
    }

    /// Whether any fault has been reported so far, in whichever field.
    pub fn has_faults(&self) -> bool {
        !self.faults.borrow().is_empty()
    }
}

/// Reporting faults.
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
        let quoted: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        let value = match self.own_value() {
            Value::Null => Value::String(String::new()),
            value => value,
        };
        self.report(FieldErrorKind::NotSupported, value, detail);
    }

    /// The value occurs twice among its siblings.
    pub fn duplicate(&self) {
        self.report(FieldErrorKind::Duplicate, self.own_value(), String::new());
    }

    /// A value other than the field's own occurs twice.
    pub fn duplicate_value(&self, bad_value: impl Into<Value>) {
        self.report(FieldErrorKind::Duplicate, bad_value.into(), String::new());
    }

    /// The value refers to something that isn't there.
    pub fn not_found(&self) {
        self.report(FieldErrorKind::NotFound, self.own_value(), String::new());
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

/// Checks that many kinds share.
impl Field<'_, '_> {
    /// Reports the field as required unless it is set and not empty. Says whether it is.
    pub fn must_be_set(&self) -> bool {
        if self.is_empty() {
            self.required("");
        }
        !self.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("an object")
    }

    #[track_caller]
    fn check(value: Value, check: impl FnOnce(&Field), want: &[&str]) {
        let faults = collect(&object(value), check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn faults_carry_their_path() {
        let value = json!({"spec": {"ports": [{"port": 1}, {"port": 0}]}, "metadata": {"labels": {"a": "b"}}});
        check(
            value,
            |root| {
                let spec = root.get("spec");
                for port in spec.get("ports").items() {
                    port.get("port").must_be_port();
                }
                root.get("metadata").get("labels").key("a").invalid("no");
                spec.get("absent").must_be_set();
            },
            &[
                "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                r#"metadata.labels[a]: Invalid value: "b": no"#,
                "spec.absent: Required value",
            ],
        );
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        let (new, old) = (
            object(json!({"a": {}, "b": "x"})),
            object(json!({"b": "y"})),
        );
        let faults = collect_update(&new, &old, |new, old| {
            new.get("a").must_not_change(&old.get("a"));
            new.get("b").must_not_change(&old.get("b"));
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [r#"b: Invalid value: "x": field is immutable"#]);
    }

    #[test]
    fn repeated_keys_are_duplicates() {
        check(
            json!({"list": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}),
            |root| root.get("list").must_differ_in("name"),
            &[r#"list[2].name: Duplicate value: "a""#],
        );
    }
}
