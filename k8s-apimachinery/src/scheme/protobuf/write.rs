//! From the tree to the values of a message: the twin of `tree.rs`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    ProtobufError,
    number::{self, Form, Numbers, Place},
    wire::Backwards,
};
use crate::{
    scheme::schema::{Schema, Shape},
    time,
};

/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// Where a value is written.
#[derive(Clone, Copy)]
struct Slot<'a> {
    number: u32,
    /// The field's name.
    name: &'a str,
    form: Form,
    /// The type that has the field.
    owner: &'a Schema,
}

/// Writes these fields of an object, in order of number. What has no number doesn't exist in this form.
pub(super) fn message(
    numbers: &[(u32, Place)],
    schema: &Schema,
    object: &Map<String, Value>,
    out: &mut Backwards,
) -> Result<(), ProtobufError> {
    for (number, place) in numbers.iter().rev() {
        let number = *number;
        match *place {
            Place::Field(name, form) => {
                let (Some(field), Some(value)) = (schema.field(name), object.get(name)) else {
                    continue;
                };
                let slot = Slot {
                    number,
                    name,
                    form,
                    owner: schema,
                };
                if !value.is_null() {
                    slot.field(field.schema(), value, out)?;
                }
            }
            // Go has these as a part of the struct around it, so they are always there.
            Place::Inlined(inner) => out.nested(number, |out| match number::message(inner) {
                Some(numbers) => message(numbers, schema, object, out),
                None => Ok(()),
            })?,
        }
    }
    Ok(())
}

/// The numbers of a type that is known to be a message.
pub(super) fn numbers(schema: &Schema) -> Result<&'static Numbers, ProtobufError> {
    number::message(&schema.message_name()).ok_or_else(|| ProtobufError::UnknownKind {
        kind: schema.type_name().to_owned(),
        api_version: String::new(),
    })
}

impl Slot<'_> {
    /// Writes all of a field: items of lists and entries of maps one by one.
    fn field(
        self,
        schema: &Schema,
        value: &Value,
        out: &mut Backwards,
    ) -> Result<(), ProtobufError> {
        match (schema.shape(), value) {
            (Shape::List { items, .. }, Value::Array(list)) => self.items(items.get(), list, out),
            (Shape::Map { values, .. }, Value::Object(map)) => {
                for (key, value) in map.iter().rev() {
                    out.nested(self.number, |out| {
                        self.at(2).value(values.get(), value, out)?;
                        out.bytes(1, key.as_bytes());
                        Ok(())
                    })?;
                }
                Ok(())
            }
            _ => self.value(schema, value, out),
        }
    }

    fn items(
        self,
        schema: &Schema,
        list: &[Value],
        out: &mut Backwards,
    ) -> Result<(), ProtobufError> {
        let mut items = list.iter().rev();
        items.try_for_each(|item| self.value(schema, item, out))
    }

    /// Writes one value.
    fn value(
        self,
        schema: &Schema,
        value: &Value,
        out: &mut Backwards,
    ) -> Result<(), ProtobufError> {
        let number = self.number;
        if self.form != Form::Plain {
            return out.nested(number, |out| self.union(value, out));
        }
        match (schema.shape(), value) {
            (Shape::Object { .. }, Value::Object(object)) => {
                return out.nested(number, |out| self.object(schema, object, out));
            }
            // A list within a map or a list is a message of its own.
            (Shape::List { items, .. }, Value::Array(list)) => {
                return out.nested(number, |out| self.at(1).items(items.get(), list, out));
            }
            (Shape::String, Value::String(text)) => out.bytes(number, text.as_bytes()),
            (Shape::Bytes, Value::String(text)) => {
                let bytes = BASE64_STANDARD.decode(text);
                out.bytes(number, &bytes.map_err(|error| self.refuse(&error))?);
            }
            (Shape::Int32 | Shape::Int64, Value::Number(value)) => {
                out.varint(number, self.integer(value)? as u64);
            }
            (Shape::Boolean, Value::Bool(flag)) => out.varint(number, u64::from(*flag)),
            (Shape::Number, Value::Number(value)) => {
                let float = value.as_f64().ok_or_else(|| self.refuse(value))?;
                out.fixed64(number, float.to_bits());
            }
            (Shape::IntOrString, Value::Number(value)) => {
                let integer = self.integer(value)? as u64;
                self.int_or_string(0, integer, "", out);
            }
            (Shape::IntOrString, Value::String(text)) => self.int_or_string(1, 0, text, out),
            (Shape::Quantity, Value::String(text)) => {
                let end = out.len();
                out.bytes(1, text.as_bytes());
                out.header(number, out.len() - end);
            }
            (Shape::Time | Shape::MicroTime, Value::String(text)) => self.time(text, out)?,
            (Shape::Any, value) => self.json(value, out),
            _ => return Err(self.refuse(&"does not fit its type")),
        }
        Ok(())
    }

    fn object(
        self,
        schema: &Schema,
        object: &Map<String, Value>,
        out: &mut Backwards,
    ) -> Result<(), ProtobufError> {
        match number::message(&schema.message_name()) {
            Some(numbers) => message(numbers, schema, object, out),
            None => Ok(()),
        }
    }

    /// What a schema of JSON has where it may have another schema or something simpler.
    fn union(self, value: &Value, out: &mut Backwards) -> Result<(), ProtobufError> {
        let (schema, simple) = match self.form {
            Form::SchemaOrBool => (2, 1),
            _ => (1, 2),
        };
        match value {
            Value::Object(object) => {
                out.nested(schema, |out| self.object(self.owner, object, out))?;
                if self.form == Form::SchemaOrBool {
                    out.varint(simple, 1);
                }
            }
            Value::Bool(allows) => out.varint(simple, u64::from(*allows)),
            Value::Null => {}
            Value::Array(list) => {
                for item in list.iter().rev() {
                    match item {
                        Value::Object(object) => {
                            out.nested(simple, |out| self.object(self.owner, object, out))?;
                        }
                        Value::String(text) => out.bytes(simple, text.as_bytes()),
                        _ => return Err(self.refuse(&"does not fit its type")),
                    }
                }
            }
            _ => return Err(self.refuse(&"does not fit its type")),
        }
        Ok(())
    }

    fn int_or_string(self, kind: u64, integer: u64, text: &str, out: &mut Backwards) {
        let end = out.len();
        out.bytes(3, text.as_bytes());
        out.varint(2, integer);
        out.varint(1, kind);
        out.header(self.number, out.len() - end);
    }

    fn time(self, text: &str, out: &mut Backwards) -> Result<(), ProtobufError> {
        let time = time::parse(text).map_err(|error| self.refuse(&error))?;
        let nanos = time.as_nanosecond();
        let end = out.len();
        out.varint(2, nanos.rem_euclid(SECOND) as u64);
        out.varint(1, nanos.div_euclid(SECOND) as u64);
        out.header(self.number, out.len() - end);
        Ok(())
    }

    /// Embedded JSON; none at all is an empty message.
    fn json(self, value: &Value, out: &mut Backwards) {
        let end = out.len();
        if !value.is_null() {
            out.bytes(1, value.to_string().as_bytes());
        }
        out.header(self.number, out.len() - end);
    }

    fn integer(self, value: &serde_json::Number) -> Result<i64, ProtobufError> {
        value.as_i64().ok_or_else(|| self.refuse(value))
    }

    fn at(self, number: u32) -> Self {
        Self { number, ..self }
    }

    fn refuse(self, reason: &dyn std::fmt::Display) -> ProtobufError {
        ProtobufError::Value {
            field: self.name.to_owned(),
            reason: reason.to_string(),
        }
    }
}
