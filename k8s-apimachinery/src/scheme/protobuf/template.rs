//! An object's message with a gap for its `resourceVersion`: made once, then copied to every reader.

use serde_json::{Map, Value};

use super::{
    ProtobufError, envelope,
    envelope::put_header,
    known,
    number::{Numbers, Place},
    wire::{Backwards, varint_len},
    write,
};
use crate::scheme::Schema;

/// Where every kind has its metadata.
const METADATA: u32 = 1;

/// Where metadata has its `resourceVersion`.
const RESOURCE_VERSION: u32 = 6;

/// An object in protobuf, without its envelope and `resourceVersion`.
#[derive(Clone, Debug)]
pub struct Template {
    /// Metadata before the gap, metadata behind it, everything else.
    bytes: Box<[u8]>,
    gap: usize,
    rest: usize,
}

impl Template {
    /// From the tree of an object of a built-in kind.
    pub fn new(tree: &Value) -> Result<Self, ProtobufError> {
        let text = |field: &str| tree[field].as_str().unwrap_or_default();
        let (schema, numbers) = known(text("apiVersion"), text("kind"))?;
        let empty = Map::new();
        let object = tree.as_object().unwrap_or(&empty);
        let metadata = tree["metadata"].as_object().unwrap_or(&empty);
        let mut out = Backwards::default();
        let put = |numbers: &[(u32, Place)], schema: &Schema, object, out: &mut Backwards| {
            write::message(numbers, schema, object, out)?;
            Ok(out.len())
        };
        let rest = put(behind(numbers, METADATA), &schema, object, &mut out)?;
        let (mut behind_gap, mut whole) = (rest, rest);
        if let Some(field) = schema.field("metadata") {
            let (schema, numbers) = (field.schema(), write::numbers(field.schema())?);
            behind_gap = put(
                behind(numbers, RESOURCE_VERSION),
                schema,
                metadata,
                &mut out,
            )?;
            whole = put(
                before(numbers, RESOURCE_VERSION),
                schema,
                metadata,
                &mut out,
            )?;
        }
        Ok(Template {
            bytes: out.finish().into(),
            gap: whole - behind_gap,
            rest: whole - rest,
        })
    }

    /// The object, or a part of it, as a body of its own.
    pub fn body(&self, part: Part, api_version: &str, kind: &str, version: &str) -> Vec<u8> {
        let length = self.len(part, version);
        let mut out = Vec::with_capacity(length + api_version.len() + kind.len() + 32);
        envelope::begin(api_version, kind, length, &mut out);
        self.write(part, version, &mut out);
        envelope::end(&mut out);
        out
    }

    /// How many bytes [`write`](Template::write) appends.
    fn len(&self, part: Part, version: &str) -> usize {
        let metadata = self.metadata(version);
        let rest = match part {
            Part::Whole => self.bytes.len() - self.rest,
            Part::Metadata => 0,
        };
        1 + varint_len(metadata as u64) + metadata + rest
    }

    /// The length of the metadata with a version of fewer than 128 digits.
    fn metadata(&self, version: &str) -> usize {
        self.rest + 2 + version.len()
    }

    /// Appends the message.
    fn write(&self, part: Part, version: &str, out: &mut Vec<u8>) {
        let end = match part {
            Part::Whole => self.bytes.len(),
            Part::Metadata => self.rest,
        };
        put_header(METADATA as u8, self.metadata(version), out);
        out.extend_from_slice(&self.bytes[..self.gap]);
        put_header(RESOURCE_VERSION as u8, version.len(), out);
        out.extend_from_slice(version.as_bytes());
        out.extend_from_slice(&self.bytes[self.gap..end]);
    }
}

/// What of an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its metadata, which is what a `PartialObjectMetadata` is.
    Metadata,
}

/// A list of objects of a built-in kind with their `resourceVersion`s; `kind` is that of the list, `metadata` its own.
///
/// ```
/// use k8s_apimachinery::scheme::protobuf::{self, Part, Template};
/// use serde_json::json;
/// let tree = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
/// let items = [(&Template::new(&tree)?, "7".to_owned())];
/// let metadata = json!({"resourceVersion": "9"});
/// let body = protobuf::list(Part::Whole, "v1", "PodList", &metadata, &items)?;
/// let (_, list) = protobuf::decode(&body)?;
/// assert_eq!(list["items"][0]["metadata"], json!({"name": "a", "resourceVersion": "7"}));
/// # Ok::<(), protobuf::ProtobufError>(())
/// ```
pub fn list(
    part: Part,
    api_version: &str,
    kind: &str,
    metadata: &Value,
    items: &[(&Template, String)],
) -> Result<Vec<u8>, ProtobufError> {
    let (schema, numbers) = known(api_version, kind)?;
    let mut head = Backwards::default();
    let head_only = Map::from_iter([("metadata".to_owned(), metadata.clone())]);
    write::message(numbers, &schema, &head_only, &mut head)?;
    let head = head.finish();
    let item = |(template, version): &(&Template, String)| {
        let length = template.len(part, version);
        1 + varint_len(length as u64) + length
    };
    let length = head.len() + items.iter().map(item).sum::<usize>();
    let mut out = Vec::with_capacity(length + api_version.len() + kind.len() + 32);
    envelope::begin(api_version, kind, length, &mut out);
    out.extend_from_slice(&head);
    for (template, version) in items {
        put_header(2, template.len(part, version), &mut out);
        template.write(part, version, &mut out);
    }
    envelope::end(&mut out);
    Ok(out)
}

/// The fields with smaller numbers.
fn before(numbers: &Numbers, number: u32) -> &[(u32, Place)] {
    &numbers[..numbers.partition_point(|(each, _)| *each < number)]
}

/// The fields with larger numbers.
fn behind(numbers: &Numbers, number: u32) -> &[(u32, Place)] {
    &numbers[numbers.partition_point(|(each, _)| *each <= number)..]
}
