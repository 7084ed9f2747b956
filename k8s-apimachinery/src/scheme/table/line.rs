//! Reads a line of the tables. Its grammar stands at the head of the parent module.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use super::{META, Package, TypeRef};
use crate::scheme::schema::{Field, Link, ListType, PatchStrategy, Schema, Shape, WhenEmpty};

/// The name of the type that a line defines.
pub(super) fn type_name(line: &str) -> &str {
    let head = line.split(' ').next().unwrap_or_default();
    head.trim_start_matches(['*', '&']).trim_end_matches('=')
}

/// Reads one field of a type that lives in `home`.
pub(super) fn parse_field(word: &'static str, home: Package) -> Field {
    let (head, value) = word
        .split_once(':')
        .unwrap_or_else(|| panic!("the table's field {word:?} has a value"));
    let (head, default) = match head.split_once('=') {
        Some((head, default)) => (head, Some(default)),
        None => (head, None),
    };
    let name = head.trim_end_matches(['*', '!', '?']);
    let marks = &head[name.len()..];
    let is_required = marks.contains('*');
    let end = value.find(['^', '+', '~']).unwrap_or(value.len());
    let (value, patch) = value.split_at(end);
    let is_collection = value.starts_with(['[', '{']) || value == "y";
    let is_omitted = marks.contains('!') || is_collection && !is_required && !marks.contains('?');
    Field {
        is_required,
        when_empty: if is_omitted {
            WhenEmpty::Omitted
        } else {
            WhenEmpty::Kept
        },
        key_default: default.map(Into::into),
        patch: parse_patch(patch),
        ..Field::new(name, parse_value(value, home))
    }
}

fn parse_patch(text: &str) -> PatchStrategy {
    let key = text.strip_prefix('^').map(|key| key.trim_end_matches('+'));
    PatchStrategy {
        merges: key.is_some(),
        merge_key: key.filter(|key| !key.is_empty()).map(Into::into),
        replaces: text == "~",
        retains_keys: text.ends_with('+'),
    }
}

fn parse_value(text: &'static str, home: Package) -> Link {
    if let Some(list) = text.strip_prefix('[') {
        let (items, list_type) = split_at_closing(list, ']');
        let list_type = match list_type.split_at_checked(1) {
            Some(("#", _)) => ListType::Set,
            Some(("/", keys)) => ListType::Map(keys.split(',').map(Into::into).collect()),
            _ => ListType::Atomic,
        };
        return Arc::new(Schema::new(Shape::List {
            items: parse_value(items, home),
            list_type,
        }))
        .into();
    }
    if let Some(map) = text.strip_prefix('{') {
        let (values, atomic) = split_at_closing(map, '}');
        let shape = Shape::Map {
            values: parse_value(values, home),
            is_atomic: atomic == "=",
        };
        return Arc::new(Schema::new(shape)).into();
    }
    if text.len() == 1 {
        return scalar(text).into();
    }
    let (name, is_granular) = match text.strip_suffix('%') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let (package, name) = match name.split_once('.') {
        None => (home, name),
        Some(("meta", name)) => (META, name),
        Some((package, name)) => {
            let (package, version) = package.split_once('/').unwrap_or((package, "v1"));
            (
                Package {
                    name: package,
                    version,
                },
                name,
            )
        }
    };
    Link::to_type(TypeRef {
        package,
        name,
        is_granular,
    })
}

/// Lists of lists have no list type inside, so the last bracket is the closing one.
fn split_at_closing(text: &'static str, bracket: char) -> (&'static str, &'static str) {
    text.rsplit_once(bracket)
        .unwrap_or_else(|| panic!("the table closes its brackets: {text:?}"))
}

/// One shared node per kind of scalar.
pub(super) fn scalar(letter: &str) -> Arc<Schema> {
    static SCALARS: LazyLock<BTreeMap<&str, Arc<Schema>>> = LazyLock::new(|| {
        let shapes = [
            ("s", Shape::String),
            ("y", Shape::Bytes),
            ("i", Shape::Int32),
            ("l", Shape::Int64),
            ("f", Shape::Number),
            ("b", Shape::Boolean),
            ("q", Shape::Quantity),
            ("x", Shape::IntOrString),
            ("t", Shape::Time),
            ("u", Shape::MicroTime),
            ("r", Shape::Any),
            ("j", Shape::Any),
        ];
        shapes
            .into_iter()
            .map(|(letter, shape)| (letter, Arc::new(Schema::new(shape))))
            .collect()
    });
    SCALARS
        .get(letter)
        .unwrap_or_else(|| panic!("the tables know the letter {letter:?}"))
        .clone()
}
