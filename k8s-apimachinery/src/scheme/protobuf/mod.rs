//! Kubernetes' protobuf form, which typed clients send and ask for: read into the same tree that JSON gives, and written
//! from it.
//!
//! Both ways lead along the [`Schema`]; the numbers of the fields come from a table (`number.rs`), so there is no
//! second set of types. Amounts stay as sent: [`normalise`](super::normalise()) makes them canonical, as it does after
//! JSON.
//!
//! Reading is bounded: lengths are checked against what is there, and nesting goes as deep as JSON's may. Writing puts
//! down what the tree holds and nothing else; Kubernetes itself also writes the zeros that JSON omits, which readers
//! can't tell from absence.

mod envelope;
mod number;
mod template;
mod tree;
mod wire;
mod write;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::{envelope::Envelope, number::Numbers};
use super::{Gvk, Schema};

pub use envelope::watch_event;
pub use template::{Part, Template, list};
pub use wire::Backwards;

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
    let Some((schema, numbers)) = message(&gvk) else {
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

/// Writes an object of a built-in kind; its tree says what it is.
///
/// ```
/// use k8s_apimachinery::scheme::protobuf;
/// let tree = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
/// let body = protobuf::encode(&tree)?;
/// assert_eq!(protobuf::decode(&body)?.1, tree);
/// # Ok::<(), protobuf::ProtobufError>(())
/// ```
pub fn encode(tree: &Value) -> Result<Vec<u8>, ProtobufError> {
    let text = |field: &str| tree[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let (schema, numbers) = known(api_version, kind)?;
    let mut out = Backwards::default();
    envelope::write(api_version, kind, &mut out, |out| match tree.as_object() {
        Some(object) => write::message(numbers, &schema, object, out),
        None => Ok(()),
    })?;
    Ok(out.finish())
}

/// Whether objects of this kind can be read and written in this form.
pub fn has_kind(gvk: &Gvk) -> bool {
    message(gvk).is_some()
}

/// The fields of a kind, and their numbers.
fn message(gvk: &Gvk) -> Option<(Arc<Schema>, &'static Numbers)> {
    let schema = Schema::builtin(gvk)?;
    let numbers = number::message(&schema.message_name())?;
    Some((schema, numbers))
}

fn known(api_version: &str, kind: &str) -> Result<(Arc<Schema>, &'static Numbers), ProtobufError> {
    message(&Gvk::from_api_version(api_version, kind)).ok_or_else(|| ProtobufError::UnknownKind {
        kind: kind.to_owned(),
        api_version: api_version.to_owned(),
    })
}

#[cfg(test)]
mod tests;
