//! Reads Kubernetes' protobuf form, which typed clients send, into the same tree that JSON gives.
//!
//! The tree is built along the [`Schema`]; the numbers of the fields come from a table (`number.rs`), so there is no
//! second set of types. Amounts stay as sent: [`normalise`](super::normalise()) makes them canonical, as it does after
//! JSON. Nothing is written in this form; clients take JSON as an answer.
//!
//! Reading is bounded: lengths are checked against what is there, and nesting goes as deep as JSON's may.

mod number;
mod tree;
mod wire;

use serde_json::{Map, Value};

use self::wire::{Fields, Wire};
use super::{Gvk, Schema};

/// What every body in this form begins with.
pub const MAGIC: &[u8] = b"k8s\0";

/// The bytes are no object in Kubernetes' protobuf form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtobufError {
    /// They don't begin with [`MAGIC`].
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Prefix,
    /// They end within a field.
    #[error("unexpected EOF")]
    Truncated,
    /// A number of variable length has too many digits.
    #[error("proto: integer overflow")]
    Overflow,
    /// There is no field with this number.
    #[error("proto: illegal tag {0}")]
    Tag(u64),
    /// No value is written in this way.
    #[error("proto: illegal wireType {0}")]
    IllegalWireType(u8),
    /// The field's value is written as one of another type.
    #[error("proto: wrong wireType for field {0}")]
    WrongWireType(String),
    /// The field can't hold this value.
    #[error("proto: field {field}: {reason}")]
    Value {
        /// Its name in JSON.
        field: String,
        /// Why not.
        reason: String,
    },
    /// Objects in objects, beyond what JSON may nest.
    #[error("proto: exceeded max depth")]
    TooDeep,
    /// The body is compressed or otherwise encoded.
    #[error("unsupported content encoding {0:?}")]
    Encoding(String),
    /// There is no such kind in protobuf.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// As the body names it.
        kind: String,
        /// As the body names it.
        api_version: String,
    },
}

/// Reads an object of a built-in kind: what it says it is, and its tree with `apiVersion` and `kind`.
///
/// ```
/// use k8s_apimachinery::scheme::{Gvk, protobuf};
/// let body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x05\x0a\x03\x0a\x01n";
/// let (gvk, tree) = protobuf::decode(body)?;
/// assert_eq!(gvk, Gvk::new("", "v1", "Namespace"));
/// assert_eq!(tree["metadata"]["name"], "n");
/// # Ok::<(), protobuf::ProtobufError>(())
/// ```
pub fn decode(body: &[u8]) -> Result<(Gvk, Value), ProtobufError> {
    let envelope = Envelope::read(body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?)?;
    let gvk = Gvk::from_api_version(&envelope.api_version, &envelope.kind);
    let schema = Schema::builtin(&gvk);
    let Some((schema, numbers)) = schema.and_then(|schema| {
        let numbers = number::message(&schema.message_name())?;
        Some((schema, numbers))
    }) else {
        return Err(ProtobufError::UnknownKind {
            kind: envelope.kind,
            api_version: envelope.api_version,
        });
    };
    let mut object = Map::new();
    object.insert("apiVersion".into(), envelope.api_version.into());
    object.insert("kind".into(), envelope.kind.into());
    tree::message(numbers, &schema, envelope.raw, &mut object, 0)?;
    Ok((gvk, Value::Object(object)))
}

/// `runtime.Unknown`: an object's bytes, and what they are.
#[derive(Default)]
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ProtobufError> {
        let mut envelope = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(type_meta)) => envelope.read_type(type_meta)?,
                (2, Wire::Bytes(raw)) => envelope.raw = raw,
                (3, Wire::Bytes(encoding)) if !encoding.is_empty() => {
                    let encoding = String::from_utf8_lossy(encoding).into_owned();
                    return Err(ProtobufError::Encoding(encoding));
                }
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, type_meta: &[u8]) -> Result<(), ProtobufError> {
        for field in Fields::new(type_meta) {
            match field? {
                (1, Wire::Bytes(text)) => self.api_version = tree::text("apiVersion", text)?,
                (2, Wire::Bytes(text)) => self.kind = tree::text("kind", text)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
