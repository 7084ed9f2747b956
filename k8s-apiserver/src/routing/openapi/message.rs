//! OpenAPI 2.0 as a protobuf message (`openapi.v2.Document` of gnostic), which client-go and kubectl before 1.27 ask for.
//!
//! The message says the same as the JSON: each object is written along a table of its fields' numbers. It was generated
//! from a grammar, so texts stand where they do in JSON, choices have a message round them, and maps are lists of pairs.

use k8s_apimachinery::scheme::{codec, protobuf::Backwards};
use serde_json::{Map, Value};

/// The media types of the form. Clients ask for the first, whose name breaks the rules of such names, so that Go's can't
/// read it in an answer: the second is what is answered, whatever was asked for.
pub(super) const MEDIA_TYPES: [&str; 2] = [
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
];

/// The document has something that the message has no place for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no place for {field:?} in a message of OpenAPI")]
pub(super) struct NoPlace {
    field: String,
}

const DONE: Result<(), NoPlace> = Ok(());

/// Writes a document.
pub(super) fn encode(document: &Value) -> Result<Vec<u8>, NoPlace> {
    let mut out = Backwards::default();
    object(&DOCUMENT, document, &mut out)?;
    Ok(out.finish())
}

/// A message: its fields in order of number, and where its extensions (`x-`) go.
struct Message {
    fields: &'static [(&'static str, u32, Form)],
    extensions: u32,
}

/// How the value of a field is written.
#[derive(Clone, Copy)]
enum Form {
    /// A text, a flag, a whole number, or several texts.
    Plain,
    /// A number with a fraction.
    Double,
    /// Anything at all, as YAML.
    Any,
    /// A list of that.
    Anys,
    /// Another message, within messages that have only this number.
    Nested(&'static [u32], &'static Message),
    /// A list of other messages.
    List(&'static [u32], &'static Message),
    /// A message of pairs of a name and another message, the pairs at the first of these numbers.
    Pairs(u32, &'static [u32], &'static Message),
    /// A type's name: a list of one.
    Type,
    /// A schema, or whether anything goes.
    SchemaOrFlag,
    /// A list of parameters, each within messages that depend on where it stands.
    Parameters,
}

use Form::{Any, Anys, Double, List, Nested, Pairs, Parameters, Plain, SchemaOrFlag, Type};

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Plain),
        ("info", 2, Nested(&[], &INFO)),
        ("paths", 8, Pairs(2, &[], &PATH)),
        ("definitions", 9, Pairs(1, &[], &SCHEMA)),
    ],
    extensions: 16,
};

static INFO: Message = Message {
    fields: &[
        ("title", 1, Plain),
        ("version", 2, Plain),
        ("description", 3, Plain),
    ],
    extensions: 7,
};

static PATH: Message = Message {
    fields: &[
        ("get", 2, Nested(&[], &OPERATION)),
        ("put", 3, Nested(&[], &OPERATION)),
        ("post", 4, Nested(&[], &OPERATION)),
        ("delete", 5, Nested(&[], &OPERATION)),
        ("options", 6, Nested(&[], &OPERATION)),
        ("head", 7, Nested(&[], &OPERATION)),
        ("patch", 8, Nested(&[], &OPERATION)),
        ("parameters", 9, Parameters),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Plain),
        ("summary", 2, Plain),
        ("description", 3, Plain),
        ("operationId", 5, Plain),
        ("produces", 6, Plain),
        ("consumes", 7, Plain),
        ("parameters", 8, Parameters),
        ("responses", 9, Pairs(1, &[1], &RESPONSE)),
        ("schemes", 10, Plain),
        ("deprecated", 11, Plain),
    ],
    extensions: 13,
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", 1, Plain),
        ("schema", 2, Nested(&[1], &SCHEMA)),
    ],
    extensions: 5,
};

static BODY_PARAMETER: Message = Message {
    fields: &[
        ("description", 1, Plain),
        ("name", 2, Plain),
        ("in", 3, Plain),
        ("required", 4, Plain),
        ("schema", 5, Nested(&[], &SCHEMA)),
    ],
    extensions: 6,
};

static QUERY_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Plain),
        ("in", 2, Plain),
        ("description", 3, Plain),
        ("name", 4, Plain),
        ("type", 6, Plain),
        ("format", 7, Plain),
        ("uniqueItems", 20, Plain),
    ],
    extensions: 23,
};

static PATH_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Plain),
        ("in", 2, Plain),
        ("description", 3, Plain),
        ("name", 4, Plain),
        ("type", 5, Plain),
        ("format", 6, Plain),
        ("uniqueItems", 19, Plain),
    ],
    extensions: 22,
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Plain),
        ("format", 2, Plain),
        ("title", 3, Plain),
        ("description", 4, Plain),
        ("default", 5, Any),
        ("multipleOf", 6, Double),
        ("maximum", 7, Double),
        ("exclusiveMaximum", 8, Plain),
        ("minimum", 9, Double),
        ("exclusiveMinimum", 10, Plain),
        ("maxLength", 11, Plain),
        ("minLength", 12, Plain),
        ("pattern", 13, Plain),
        ("maxItems", 14, Plain),
        ("minItems", 15, Plain),
        ("uniqueItems", 16, Plain),
        ("maxProperties", 17, Plain),
        ("minProperties", 18, Plain),
        ("required", 19, Plain),
        ("enum", 20, Anys),
        ("additionalProperties", 21, SchemaOrFlag),
        ("type", 22, Type),
        ("items", 23, Nested(&[1], &SCHEMA)),
        ("allOf", 24, List(&[], &SCHEMA)),
        ("properties", 25, Pairs(1, &[], &SCHEMA)),
        ("readOnly", 27, Plain),
        ("example", 30, Any),
    ],
    extensions: 31,
};

fn object(message: &Message, value: &Value, out: &mut Backwards) -> Result<(), NoPlace> {
    let empty = Map::new();
    let object = value.as_object().unwrap_or(&empty);
    let is_extension = |name: &String| name.starts_with("x-");
    let has_place = |name: &String| message.fields.iter().any(|(field, ..)| *field == name);
    if let Some(field) = object
        .keys()
        .find(|name| !is_extension(name) && !has_place(name))
    {
        return Err(NoPlace {
            field: field.clone(),
        });
    }
    for (name, value) in object.iter().rev().filter(|(name, _)| is_extension(name)) {
        out.nested(message.extensions, |out| {
            any(2, value, out);
            out.bytes(1, name.as_bytes());
            DONE
        })?;
    }
    for (name, number, form) in message.fields.iter().rev() {
        if let Some(value) = object.get(*name) {
            field(*number, *form, value, out)?;
        }
    }
    Ok(())
}

fn field(number: u32, form: Form, value: &Value, out: &mut Backwards) -> Result<(), NoPlace> {
    match (form, value) {
        (Plain, value) => plain(number, value, out),
        (Double, value) => out.fixed64(number, value.as_f64().unwrap_or_default().to_bits()),
        (Any, value) => any(number, value, out),
        (Anys, value) => items(value).rev().for_each(|item| any(number, item, out)),
        (Type, value) => out.nested(number, |out| {
            plain(1, value, out);
            DONE
        })?,
        (SchemaOrFlag, Value::Bool(flag)) => out.nested(number, |out| {
            out.varint(2, u64::from(*flag));
            DONE
        })?,
        (SchemaOrFlag, value) => within(&[number, 1], &SCHEMA, value, out)?,
        (Nested(wrappers, message), value) => {
            out.nested(number, |out| within(wrappers, message, value, out))?
        }
        (List(wrappers, message), value) => {
            for item in items(value).rev() {
                out.nested(number, |out| within(wrappers, message, item, out))?;
            }
        }
        (Pairs(pair, wrappers, message), value) => out.nested(number, |out| {
            for (name, value) in value.as_object().into_iter().flatten().rev() {
                out.nested(pair, |out| {
                    out.nested(2, |out| within(wrappers, message, value, out))?;
                    out.bytes(1, name.as_bytes());
                    DONE
                })?;
            }
            DONE
        })?,
        (Parameters, value) => {
            for item in items(value).rev() {
                let (wrappers, message): (&[u32], _) = match item["in"].as_str() {
                    Some("body") => (&[1, 1], &BODY_PARAMETER),
                    Some("path") => (&[1, 2, 4], &PATH_PARAMETER),
                    _ => (&[1, 2, 3], &QUERY_PARAMETER),
                };
                out.nested(number, |out| within(wrappers, message, item, out))?;
            }
        }
    }
    Ok(())
}

/// A message within others that have nothing but it.
fn within(
    wrappers: &[u32],
    message: &Message,
    value: &Value,
    out: &mut Backwards,
) -> Result<(), NoPlace> {
    match wrappers.split_first() {
        Some((number, wrappers)) => {
            out.nested(*number, |out| within(wrappers, message, value, out))
        }
        None => object(message, value, out),
    }
}

/// What is zero is absent, as always in version 3 of protobuf.
fn plain(number: u32, value: &Value, out: &mut Backwards) {
    match value {
        Value::String(text) if !text.is_empty() => out.bytes(number, text.as_bytes()),
        Value::Bool(true) => out.varint(number, 1),
        Value::Number(integer) => match integer.as_i64() {
            None | Some(0) => {}
            Some(integer) => out.varint(number, integer as u64),
        },
        list => {
            let texts = items(list).filter_map(Value::as_str);
            texts
                .rev()
                .for_each(|text| out.bytes(number, text.as_bytes()));
        }
    }
}

fn any(number: u32, value: &Value, out: &mut Backwards) {
    let yaml = codec::encode_yaml(value);
    let end = out.len();
    out.bytes(2, yaml.as_bytes());
    out.header(number, out.len() - end);
}

fn items(value: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(document: Value, expected: &[&[u8]]) {
        assert_eq!(encode(&document), Ok(expected.concat()));
    }

    #[test]
    fn numbers_are_gnostics() {
        check(
            json!({"swagger": "2.0", "info": {"title": "K", "version": "v1"}}),
            &[b"\x0a\x032.0", b"\x12\x07", b"\x0a\x01K", b"\x12\x02v1"],
        );
        check(
            json!({"definitions": {"a": {"type": "array", "items": {"$ref": "b"}, "x-k": "m"}}}),
            &[
                b"\x4a\x27\x0a\x25\x0a\x01a\x12\x20",
                b"\xb2\x01\x07\x0a\x05array",
                b"\xba\x01\x05\x0a\x03\x0a\x01b",
                // The value of an extension is YAML.
                b"\xfa\x01\x0b\x0a\x03x-k\x12\x04\x12\x02m\n",
            ],
        );
    }

    #[test]
    fn what_has_no_place_is_not_dropped() {
        let document = json!({"definitions": {"a": {"oneOf": []}}});
        let refused = encode(&document).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "no place for \"oneOf\" in a message of OpenAPI"
        );
    }
}
