//! Brings what a client sent into the form that is stored, and reports JSON of the wrong type.
//!
//! It does to the tree what decoding into Kubernetes' own types and encoding again would do: nulls go, amounts and times
//! become canonical, empty values that those types can't tell from absence are left out.

use std::fmt;

use serde_json::{Map, Value};

use super::schema::{Field, Schema, Shape, WhenEmpty};
use crate::{object::json_type, quantity::Quantity, quantity::QuantityError, time};

/// JSON of the wrong type, or text that can't be read as what it should be. At least one; displayed is the first, since
/// that is the one that Kubernetes reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeErrors(Vec<TypeError>);

/// One value that doesn't fit; the message is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeError {
    /// Where: `spec.template.spec.containers.image`, without indices.
    pub field: String,
    /// Why, whole: it names the field itself where Kubernetes does.
    pub message: String,
}

impl TypeErrors {
    /// All of them, in order of appearance.
    pub fn errors(&self) -> &[TypeError] {
        &self.0
    }

    /// The message of a 400: `Deployment in version "v1" cannot be handled as a Deployment: json: cannot ...`.
    pub fn for_kind(&self, version: &str, kind: &str) -> String {
        format!("{kind} in version {version:?} cannot be handled as a {kind}: {self}")
    }
}

impl fmt::Display for TypeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .first()
            .map_or(Ok(()), |error| f.write_str(&error.message))
    }
}

impl std::error::Error for TypeErrors {}

/// Brings the value into the form that is stored. Unknown fields stay as they are; [`prune`](super::prune()) drops them.
///
/// On error the value is partly normalised and not to be used.
pub fn normalise(schema: &Schema, value: &mut Value) -> Result<(), TypeErrors> {
    let mut walk = Walk { errors: Vec::new() };
    walk.value(schema, value, &Place::ROOT);
    match walk.errors.is_empty() {
        true => Ok(()),
        false => Err(TypeErrors(walk.errors)),
    }
}

/// Where the walk stands, as Go's decoder sees it: the innermost struct, and the names of fields down to here.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    owner: &'a str,
    name: &'a str,
}

impl Place<'_> {
    const ROOT: Place<'static> = Place {
        parent: None,
        owner: "",
        name: "",
    };

    fn path(&self) -> String {
        match self.parent.map(Place::path) {
            None => String::new(),
            Some(parent) if parent.is_empty() => self.name.to_owned(),
            Some(parent) => format!("{parent}.{}", self.name),
        }
    }
}

struct Walk {
    errors: Vec<TypeError>,
}

impl Walk {
    fn value(&mut self, schema: &Schema, value: &mut Value, place: &Place<'_>) {
        match (schema.shape(), &mut *value) {
            (Shape::Any, _) => {}
            (Shape::Object { .. }, Value::Object(map)) => self.object(schema, map, place),
            (Shape::Map { values, .. }, Value::Object(map)) => {
                for value in map.values_mut() {
                    self.element(values.get(), value, place);
                }
            }
            (Shape::List { items, .. }, Value::Array(list)) => {
                for item in list {
                    self.element(items.get(), item, place);
                }
            }
            (Shape::Bytes, Value::String(text)) => {
                text.retain(|c| !matches!(c, '\r' | '\n'));
                if let Some(at) = bad_base64(text.as_bytes()) {
                    self.refuse(place, format!("illegal base64 data at input byte {at}"));
                }
            }
            (Shape::String, Value::String(_))
            | (Shape::Boolean, Value::Bool(_))
            | (Shape::Number, Value::Number(_)) => {}
            (Shape::Int32, Value::Number(number)) if is_int32(number) => {}
            (Shape::Int64, Value::Number(number)) if number.is_i64() => {}
            (Shape::IntOrString, Value::String(_)) => {}
            (Shape::IntOrString, Value::Number(number)) if is_int32(number) => {}
            (Shape::IntOrString, other) => {
                self.refuse(
                    place,
                    format!(
                        "json: cannot unmarshal {} into Go value of type int32",
                        found(other)
                    ),
                );
            }
            (Shape::Quantity, _) => self.quantity(value, place),
            (Shape::Time, _) => self.time(value, place, time::seconds),
            (Shape::MicroTime, _) => self.time(value, place, time::micros),
            (_, other) => {
                let found = match schema.shape() {
                    Shape::Int32 | Shape::Int64 => found(other),
                    _ => json_type(other).to_owned(),
                };
                self.mismatch(schema, found, place);
            }
        }
    }

    fn object(&mut self, schema: &Schema, map: &mut Map<String, Value>, place: &Place<'_>) {
        let owner = schema.type_name().rsplit('.').next().unwrap_or_default();
        map.retain(|name, value| {
            let Some(field) = schema.field(name) else {
                return true;
            };
            if value.is_null() {
                return false;
            }
            self.value(
                field.schema(),
                value,
                &Place {
                    parent: Some(place),
                    owner,
                    name,
                },
            );
            !is_omitted(field, value)
        });
    }

    /// An item of a list or a value of a map: null stands for the zero value of its type.
    fn element(&mut self, schema: &Schema, value: &mut Value, place: &Place<'_>) {
        if value.is_null() {
            *value = zero(schema);
        }
        self.value(schema, value, place);
    }

    fn quantity(&mut self, value: &mut Value, place: &Place<'_>) {
        let parsed = match &*value {
            Value::String(text) => text.parse::<Quantity>(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Format),
        };
        match parsed {
            Ok(quantity) => replace(value, quantity.to_string()),
            Err(error) => self.refuse(place, error.to_string()),
        }
    }

    fn time(&mut self, value: &mut Value, place: &Place<'_>, write: fn(jiff::Timestamp) -> String) {
        let Value::String(text) = &*value else {
            let found = json_type(value);
            return self.refuse(
                place,
                format!("json: cannot unmarshal {found} into Go value of type string"),
            );
        };
        match time::parse(text) {
            Ok(parsed) => replace(value, write(parsed)),
            Err(error) => self.refuse(place, error.to_string()),
        }
    }

    fn mismatch(&mut self, schema: &Schema, found: String, place: &Place<'_>) {
        let go_type = schema.go_type();
        let message = match place.parent {
            None => format!("json: cannot unmarshal {found} into Go value of type {go_type}"),
            Some(_) => {
                let (owner, path) = (place.owner, place.path());
                format!(
                    "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {go_type}"
                )
            }
        };
        self.refuse(place, message);
    }

    fn refuse(&mut self, place: &Place<'_>, message: String) {
        self.errors.push(TypeError {
            field: place.path(),
            message,
        });
    }
}

/// Writes the text only where it differs, which it seldom does.
fn replace(value: &mut Value, text: String) {
    if value.as_str() != Some(&text) {
        *value = Value::String(text);
    }
}

/// Whether the stored form leaves out the field with this value.
pub(super) fn is_omitted(field: &Field, value: &Value) -> bool {
    field.when_empty == WhenEmpty::Omitted
        && match value {
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_i64() == Some(0),
            Value::Null => true,
        }
}

fn is_int32(number: &serde_json::Number) -> bool {
    number
        .as_i64()
        .is_some_and(|number| i32::try_from(number).is_ok())
}

/// What Go's decoder says that it found: of numbers the number too, for where its size or fraction is what's wrong.
fn found(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("number {number}"),
        other => json_type(other).to_owned(),
    }
}

/// What Go's decoder makes of a null in a list or map.
fn zero(schema: &Schema) -> Value {
    match schema.shape() {
        Shape::Object { .. } | Shape::Map { .. } => Value::Object(Map::new()),
        Shape::List { .. } => Value::Array(Vec::new()),
        Shape::String | Shape::Bytes => "".into(),
        Shape::Int32 | Shape::Int64 | Shape::IntOrString | Shape::Number => 0.into(),
        Shape::Boolean => false.into(),
        Shape::Quantity => "0".into(),
        Shape::Time | Shape::MicroTime | Shape::Any => Value::Null,
    }
}

/// The first byte that isn't standard base64, if any.
fn bad_base64(bytes: &[u8]) -> Option<usize> {
    let data = bytes
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        .count();
    let padding = &bytes[data..];
    let expected = (4 - data % 4) % 4;
    match padding.iter().position(|b| *b != b'=') {
        Some(at) => Some(data + at),
        None if expected == 3 => Some(bytes.len()),
        None if padding.len() == expected => None,
        None => Some(data + padding.len().min(expected)),
    }
}

#[cfg(test)]
mod tests;
