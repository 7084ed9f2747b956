//! Reads the table of field numbers (`data/protobuf.txt`): one message a line, its name, then its fields.
//!
//! ```text
//! message = package "/" version "." Name field*
//! field   = name "=" number [":" form]     named as in JSON
//!         | "^" message "=" number         a message of its own here, whose fields JSON has among the others
//! form    = "list" | "bool" | "strings"    in JSON: a schema of JSON, or one of these
//! ```
//!
//! The list of a kind (`PodList`) is understood: its metadata is 1, its items are 2. What a field holds stands in the
//! schema alone. Numbers never change and are never used again, so a line only ever grows.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

/// The fields of a message, sorted by number.
pub(super) type Numbers = Vec<(u32, Place)>;

/// Where the value of a number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into this field of the object.
    Field(&'static str, Form),
    /// Into the fields of the same object, by the numbers of this message.
    Inlined(&'static str),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As its schema says.
    Plain,
    /// `JSONSchemaPropsOrArray`.
    SchemaOrList,
    /// `JSONSchemaPropsOrBool`.
    SchemaOrBool,
    /// `JSONSchemaPropsOrStringArray`.
    SchemaOrStrings,
}

struct Line {
    fields: &'static str,
    numbers: OnceLock<Numbers>,
}

/// Lines are found at once, and read on first use.
static TABLE: LazyLock<BTreeMap<&'static str, Line>> = LazyLock::new(|| {
    let lines = include_str!("../data/protobuf.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
            let numbers = OnceLock::new();
            (name, Line { fields, numbers })
        })
        .collect()
});

/// The list of any kind.
static LIST: LazyLock<Numbers> = LazyLock::new(|| parse("metadata=1 items=2"));

/// The fields of a message: `core/v1.PodSpec`.
pub(super) fn message(name: &str) -> Option<&'static Numbers> {
    match TABLE.get(name) {
        Some(line) => Some(line.numbers.get_or_init(|| parse(line.fields))),
        None => {
            let items = name.strip_suffix("List")?;
            TABLE.contains_key(items).then(|| &*LIST)
        }
    }
}

/// What stands at a number.
pub(super) fn place(numbers: &Numbers, number: u32) -> Option<Place> {
    let at = numbers
        .binary_search_by_key(&number, |(number, _)| *number)
        .ok()?;
    Some(numbers[at].1)
}

fn parse(fields: &'static str) -> Numbers {
    let words = fields.split(' ').filter(|word| !word.is_empty());
    let mut numbers: Numbers = words.map(parse_field).collect();
    numbers.sort_by_key(|(number, _)| *number);
    numbers
}

fn parse_field(word: &'static str) -> (u32, Place) {
    let (name, rest) = word.split_once('=').unwrap_or((word, ""));
    let (number, form) = match rest.split_once(':') {
        None => (rest, Form::Plain),
        Some((number, "list")) => (number, Form::SchemaOrList),
        Some((number, "bool")) => (number, Form::SchemaOrBool),
        Some((number, "strings")) => (number, Form::SchemaOrStrings),
        Some((_, form)) => panic!("the table's form {form:?} is known"),
    };
    let place = match name.strip_prefix('^') {
        Some(message) => Place::Inlined(message),
        None => Place::Field(name, form),
    };
    let number = number
        .parse()
        .unwrap_or_else(|_| panic!("the table's field {word:?} has a number"));
    (number, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheme::Schema;

    #[test]
    fn all_lines_can_be_read() {
        for name in TABLE.keys() {
            let numbers = message(name).expect("a line is found by its name");
            for pair in numbers.windows(2) {
                assert_ne!(pair[0].0, pair[1].0, "{name}");
            }
            for (_, place) in numbers {
                if let Place::Inlined(inner) = place {
                    assert!(TABLE.contains_key(inner), "{name}: {inner}");
                }
            }
        }
    }

    /// Kinds younger than the table's source have no numbers here; all others do.
    #[test]
    fn numbers_name_fields_of_the_schema() {
        for gvk in Schema::builtin_kinds() {
            let schema = Schema::builtin(&gvk).expect("it is built in");
            let Some(numbers) = message(&schema.message_name()) else {
                continue;
            };
            for (_, place) in numbers {
                if let Place::Field(name, _) = place {
                    assert!(schema.field(name).is_some(), "{gvk:?}: {name}");
                }
            }
        }
    }
}
