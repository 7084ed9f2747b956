//! From the values of a message to the tree: what a value is says the schema, where it goes says the table of numbers.

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::{
    ProtobufError,
    number::{self, Form, Numbers, Place},
    wire::{Fields, Wire, varint},
};
use crate::{
    scheme::{
        codec::{self, MAX_DEPTH, height},
        normalise::is_omitted,
        schema::{Schema, Shape},
    },
    time,
};

/// What a value is written into.
#[derive(Clone, Copy)]
struct Slot<'a> {
    /// The field's name.
    name: &'a str,
    form: Form,
    /// The type that has the field.
    owner: &'a Schema,
    /// Objects, maps and lists around it.
    depth: usize,
}

/// Reads a message into an object that `depth` others surround. Unknown numbers are skipped.
pub(super) fn message(
    numbers: &Numbers,
    schema: &Schema,
    bytes: &[u8],
    object: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), ProtobufError> {
    let depth = deeper(depth)?;
    for field in Fields::new(bytes) {
        let (number, wire) = field?;
        match number::place(numbers, number) {
            Some(Place::Field(name, form)) => {
                let slot = Slot {
                    name,
                    form,
                    owner: schema,
                    depth,
                };
                slot.fill(wire, object)?;
            }
            Some(Place::Inlined(inner)) => {
                let Wire::Bytes(bytes) = wire else {
                    return Err(ProtobufError::WrongWireType(inner.to_owned()));
                };
                if let Some(numbers) = number::message(inner) {
                    message(numbers, schema, bytes, object, depth - 1)?;
                }
            }
            None => {}
        }
    }
    Ok(())
}

/// A text, which has to be UTF-8.
pub(super) fn text(name: &str, bytes: &[u8]) -> Result<String, ProtobufError> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ProtobufError::Value {
            field: name.to_owned(),
            reason: "contains invalid UTF-8".to_owned(),
        }),
    }
}

impl Slot<'_> {
    /// Puts a value into the field. Items of lists and entries of maps come one by one.
    fn fill(self, wire: Wire<'_>, object: &mut Map<String, Value>) -> Result<(), ProtobufError> {
        let Some(field) = self.owner.field(self.name) else {
            return Ok(());
        };
        match field.schema().shape() {
            Shape::List { items, .. } => {
                let inside = self.inside()?;
                let list = object.entry(self.name).or_insert(Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    inside.items(items.get(), wire, list)?;
                }
            }
            Shape::Map { values, .. } => {
                let (key, value) = self.inside()?.entry(values.get(), wire)?;
                let map = object.entry(self.name).or_insert(Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            _ => match self.value(field.schema(), wire)? {
                Value::Null => {}
                value if is_omitted(field, &value) => {}
                value => {
                    object.insert(self.name.to_owned(), value);
                }
            },
        }
        Ok(())
    }

    fn value(self, schema: &Schema, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        if self.form != Form::Plain {
            return self.union(self.message(wire)?);
        }
        Ok(match schema.shape() {
            Shape::Object { .. } => self.object(schema, self.message(wire)?)?,
            Shape::List { items, .. } => self.wrapped(items.get(), self.message(wire)?)?,
            Shape::Map { .. } => return Err(self.wrong_type()),
            Shape::String => text(self.name, self.message(wire)?)?.into(),
            Shape::Bytes => BASE64_STANDARD.encode(self.message(wire)?).into(),
            Shape::Int32 => (self.integer(wire)? as i32).into(),
            Shape::Int64 => (self.integer(wire)? as i64).into(),
            Shape::Boolean => (self.integer(wire)? != 0).into(),
            Shape::Number => self.number(wire)?,
            Shape::IntOrString => self.int_or_string(self.message(wire)?)?,
            Shape::Quantity => self.quantity(self.message(wire)?)?,
            Shape::Time => self.time(self.message(wire)?, time::seconds)?,
            Shape::MicroTime => self.time(self.message(wire)?, time::micros)?,
            Shape::Any => self.json(self.message(wire)?)?,
        })
    }

    fn object(self, schema: &Schema, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let mut object = Map::new();
        if let Some(numbers) = number::message(&schema.message_name()) {
            message(numbers, schema, bytes, &mut object, self.depth)?;
        }
        Ok(Value::Object(object))
    }

    /// One item; or several numbers, packed.
    fn items(
        self,
        schema: &Schema,
        wire: Wire<'_>,
        list: &mut Vec<Value>,
    ) -> Result<(), ProtobufError> {
        let is_integer = matches!(schema.shape(), Shape::Int32 | Shape::Int64 | Shape::Boolean);
        match wire {
            Wire::Bytes(mut packed) if is_integer => {
                while !packed.is_empty() {
                    let number = Wire::Varint(varint(&mut packed)?);
                    list.push(self.value(schema, number)?);
                }
            }
            _ => list.push(self.value(schema, wire)?),
        }
        Ok(())
    }

    /// An entry of a map: the key is 1, the value 2. What is empty may be absent.
    fn entry(self, schema: &Schema, wire: Wire<'_>) -> Result<(String, Value), ProtobufError> {
        let (mut key, mut value) = (String::new(), None);
        for field in Fields::new(self.message(wire)?) {
            match field? {
                (1, Wire::Bytes(bytes)) => key = text(self.name, bytes)?,
                (2, wire) => value = Some(self.value(schema, wire)?),
                _ => {}
            }
        }
        let value = match value {
            Some(value) => value,
            None => self.value(schema, Wire::Bytes(&[]))?,
        };
        Ok((key, value))
    }

    /// A list within a map or a list, which is a message that has the items as its number 1.
    fn wrapped(self, schema: &Schema, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        for field in Fields::new(bytes) {
            if let (1, wire) = field? {
                inside.items(schema, wire, &mut list)?;
            }
        }
        Ok(Value::Array(list))
    }

    /// What a schema of JSON has where it may have another schema or something simpler.
    fn union(self, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let inside = self.inside()?;
        let (mut schema, mut simple) = (None, Value::Null);
        if self.form == Form::SchemaOrBool {
            simple = Value::Bool(false);
        }
        for field in Fields::new(bytes) {
            match (self.form, field?) {
                (Form::SchemaOrBool, (1, Wire::Varint(allows))) => simple = (allows != 0).into(),
                (Form::SchemaOrBool, (2, Wire::Bytes(bytes))) | (_, (1, Wire::Bytes(bytes))) => {
                    schema = Some(self.object(self.owner, bytes)?)
                }
                (Form::SchemaOrList, (2, Wire::Bytes(bytes))) => {
                    push(&mut simple, inside.object(self.owner, bytes)?);
                }
                (Form::SchemaOrStrings, (2, Wire::Bytes(bytes))) => {
                    push(&mut simple, text(self.name, bytes)?.into());
                }
                _ => {}
            }
        }
        Ok(schema.unwrap_or(simple))
    }

    fn number(self, wire: Wire<'_>) -> Result<Value, ProtobufError> {
        let Wire::Fixed64(bits) = wire else {
            return Err(self.wrong_type());
        };
        let number = f64::from_bits(bits);
        match Number::from_f64(number) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.refuse(format!("unsupported value: {number}"))),
        }
    }

    fn int_or_string(self, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let (mut is_text, mut number, mut string) = (false, 0, String::new());
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Varint(kind)) => is_text = kind == 1,
                (2, Wire::Varint(value)) => number = value as i32,
                (3, Wire::Bytes(bytes)) => string = text(self.name, bytes)?,
                _ => {}
            }
        }
        Ok(match is_text {
            true => string.into(),
            false => number.into(),
        })
    }

    fn quantity(self, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let mut quantity = String::new();
        for field in Fields::new(bytes) {
            if let (1, Wire::Bytes(bytes)) = field? {
                quantity = text(self.name, bytes)?;
            }
        }
        if quantity.is_empty() {
            quantity.push('0');
        }
        Ok(quantity.into())
    }

    /// No time at all is an empty message.
    fn time(self, bytes: &[u8], write: fn(Timestamp) -> String) -> Result<Value, ProtobufError> {
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let (mut seconds, mut nanos) = (0, 0);
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Varint(value)) => seconds = value as i64,
                (2, Wire::Varint(value)) => nanos = value as i32,
                _ => {}
            }
        }
        match Timestamp::new(seconds, nanos) {
            Ok(time) => Ok(write(time).into()),
            Err(error) => Err(self.refuse(error.to_string())),
        }
    }

    /// Embedded JSON.
    fn json(self, bytes: &[u8]) -> Result<Value, ProtobufError> {
        let mut raw: &[u8] = &[];
        for field in Fields::new(bytes) {
            if let (1, Wire::Bytes(bytes)) = field? {
                raw = bytes;
            }
        }
        if raw.is_empty() {
            return Ok(Value::Null);
        }
        let (value, _) = codec::decode_json(raw).map_err(|error| self.refuse(error.to_string()))?;
        match self.depth + height(&value) > MAX_DEPTH {
            true => Err(ProtobufError::TooDeep),
            false => Ok(value),
        }
    }

    fn message<'a>(self, wire: Wire<'a>) -> Result<&'a [u8], ProtobufError> {
        match wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type()),
        }
    }

    fn integer(self, wire: Wire<'_>) -> Result<u64, ProtobufError> {
        match wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    fn inside(self) -> Result<Self, ProtobufError> {
        let depth = deeper(self.depth)?;
        Ok(Self { depth, ..self })
    }

    fn wrong_type(self) -> ProtobufError {
        ProtobufError::WrongWireType(self.name.to_owned())
    }

    fn refuse(self, reason: String) -> ProtobufError {
        ProtobufError::Value {
            field: self.name.to_owned(),
            reason,
        }
    }
}

fn deeper(depth: usize) -> Result<usize, ProtobufError> {
    match depth < MAX_DEPTH {
        true => Ok(depth + 1),
        false => Err(ProtobufError::TooDeep),
    }
}

fn push(list: &mut Value, item: Value) {
    match list {
        Value::Array(list) => list.push(item),
        _ => *list = Value::Array(vec![item]),
    }
}
