//! A cursor over an object that knows its path: how validation reads values and reports faults.
//!
//! Paths are linked through the stack and rendered only when something is wrong, so that a valid
//! object costs no allocation. All cursors of one object share one list of faults.

mod check;
mod report;

use std::cell::RefCell;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::error::FieldError;
use crate::object::Object;

pub use check::IMMUTABLE;

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

    /// A place in a list, without a value: for faults that Kubernetes reports elsewhere than where the value stands.
    pub fn at(&self, index: usize) -> Field<'_, 'v> {
        self.child(Segment::Index(index), None)
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

    /// How many faults have been reported so far, in whichever fields.
    pub fn count_faults(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Whether any fault has been reported so far, in whichever field.
    pub fn has_faults(&self) -> bool {
        self.count_faults() > 0
    }
}

#[cfg(test)]
mod tests;
