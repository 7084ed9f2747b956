//! Sets of fields, as `managedFields` records them.
//!
//! A set is a tree. Each step has the form that it has in `fieldsV1`: `f:<name>` a field or key of a map, `k:<keys>` an
//! item of a list map, `v:<value>` an item of a set. A node is a member itself (`.`), or only leads to members.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element;
use crate::scheme::schema::{Schema, Shape};

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    is_member: bool,
    children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The set with the place itself as its one member.
    pub(super) fn leaf() -> Self {
        Self {
            is_member: true,
            children: BTreeMap::new(),
        }
    }

    /// The fields that a configuration sets: what its applier owns. Parents count only where they could be told from
    /// absence: items of lists, keys of maps, empty maps.
    pub fn of(value: &Value, schema: &Schema) -> Self {
        let mut set = Self::default();
        if schema.is_atomic() {
            set.is_member = true;
            return set;
        }
        match value {
            Value::Object(map) => return Self::of_map(map, schema),
            Value::Array(list) => {
                for item in list {
                    let Some(items) = schema.items() else { break };
                    let child = Self {
                        is_member: true,
                        ..Self::of(item, items)
                    };
                    set.attach(element::item(item, schema), child);
                }
            }
            _ => set.is_member = true,
        }
        set
    }

    /// Like [`FieldSet::of`], of a map that isn't atomic.
    pub(super) fn of_map(map: &Map<String, Value>, schema: &Schema) -> Self {
        let mut set = Self::default();
        let is_free = matches!(schema.shape(), Shape::Map { .. });
        for (name, value) in map {
            let mut child = schema
                .child(name)
                .map_or_else(Self::leaf, |schema| Self::of(value, schema));
            child.is_member |= is_free || value.as_object().is_some_and(Map::is_empty);
            set.attach(element::field(name), child);
        }
        set
    }

    /// Reads `fieldsV1`. What isn't of its form is skipped.
    pub fn from_fields_v1(value: &Value) -> Self {
        let Some(map) = value.as_object() else {
            return Self::default();
        };
        let mut set = Self::default();
        for (step, below) in map {
            match step.as_str() {
                "." => set.is_member = true,
                step => {
                    let mut child = Self::from_fields_v1(below);
                    child.is_member |= below.as_object().is_some_and(Map::is_empty);
                    set.attach(step.to_owned(), child);
                }
            }
        }
        set
    }

    /// Writes `fieldsV1`.
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        if self.is_member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        map.extend(
            self.children
                .iter()
                .map(|(step, child)| (step.clone(), child.to_fields_v1())),
        );
        Value::Object(map)
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        !self.is_member && self.children.is_empty()
    }

    /// The set below a step.
    pub fn child(&self, step: &str) -> Option<&FieldSet> {
        self.children.get(step)
    }

    /// The steps that lead on, with what is below each.
    pub fn children(&self) -> impl Iterator<Item = (&str, &FieldSet)> {
        self.children
            .iter()
            .map(|(step, child)| (step.as_str(), child))
    }

    /// Puts a set below a step, unless it is empty.
    pub(super) fn attach(&mut self, step: String, child: FieldSet) {
        if !child.is_empty() {
            self.children.insert(step, child);
        }
    }

    /// Makes the place itself a member.
    pub(super) fn insert(&mut self) {
        self.is_member = true;
    }

    /// Adds the members of another set.
    pub fn union(&mut self, other: &FieldSet) {
        self.is_member |= other.is_member;
        for (step, child) in &other.children {
            match self.children.get_mut(step) {
                Some(mine) => mine.union(child),
                None => {
                    self.children.insert(step.clone(), child.clone());
                }
            }
        }
    }

    /// Removes the members of another set; members below them stay.
    pub fn subtract(&mut self, other: &FieldSet) {
        self.is_member &= !other.is_member;
        for (step, child) in &other.children {
            if let Some(mine) = self.children.get_mut(step) {
                mine.subtract(child);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// Removes the members of another set and all below them.
    pub fn subtract_recursively(&mut self, other: &FieldSet) {
        for (step, child) in &other.children {
            if child.is_member {
                self.children.remove(step);
            } else if let Some(mine) = self.children.get_mut(step) {
                mine.subtract_recursively(child);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// The members that both sets have.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let mut both = Self {
            is_member: self.is_member && other.is_member,
            children: BTreeMap::new(),
        };
        for (step, child) in &self.children {
            if let Some(theirs) = other.children.get(step) {
                both.attach(step.clone(), child.intersection(theirs));
            }
        }
        both
    }

    /// The members' paths, as messages show them: `.spec.containers[name="a"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, path: &str, paths: &mut Vec<String>) {
        if self.is_member {
            paths.push(path.to_owned());
        }
        for (step, child) in &self.children {
            child.collect_paths(&(path.to_owned() + &element::display(step)), paths);
        }
    }
}

/// The set of these fields, each given by its names.
impl<'a> FromIterator<&'a [&'a str]> for FieldSet {
    fn from_iter<I: IntoIterator<Item = &'a [&'a str]>>(paths: I) -> Self {
        let mut set = Self::default();
        for path in paths {
            let mut place = &mut set;
            for name in path {
                place = place.children.entry(element::field(name)).or_default();
            }
            place.is_member = true;
        }
        set
    }
}
