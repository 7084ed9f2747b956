//! One committed object as its readers share it: encoded once, copied to everyone.
//!
//! What is stored is the object's JSON without its `resourceVersion`, with `kind`, `apiVersion` and `metadata` in
//! front. So the place where the revision belongs is known without parsing, and GET, LIST and WATCH copy the bytes on
//! both sides of it. The tree is only built where somebody asks for it: a table, YAML, a write; and once for those who
//! want protobuf, whose bytes are kept from then on.

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use k8s_apimachinery::{
    Map, Object, Value,
    scheme::protobuf::{ProtobufError, Template},
};
use k8s_store::Revision;

/// In stored bytes the revision goes right behind this, as the first field of the metadata.
const METADATA: &[u8] = br#""metadata":{"#;

/// A stored object: its bytes in two parts round the `resourceVersion`, and what selectors look at.
#[derive(Debug)]
pub struct Entry {
    stored: Bytes,
    /// Where `"metadata"` starts; what is before is only kind and version.
    item: usize,
    revision: Revision,
    namespace: Box<str>,
    name: Box<str>,
    labels: Box<[(Box<str>, Box<str>)]>,
    fields: Box<[(&'static str, String)]>,
    /// Made on first demand.
    protobuf: OnceLock<Box<Template>>,
}

/// What selectors look at.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) labels: Vec<(Box<str>, Box<str>)>,
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// The bytes are not an object in the form that [`encode`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored value has no metadata in front")]
pub struct NotAnEntry;

impl Entry {
    /// An entry over stored bytes.
    pub(crate) fn new(
        stored: Bytes,
        revision: Revision,
        attributes: Attributes,
    ) -> Result<Self, NotAnEntry> {
        let item = stored
            .windows(METADATA.len())
            .position(|window| window == METADATA)
            .ok_or(NotAnEntry)?;
        Ok(Entry {
            stored,
            item,
            revision,
            namespace: attributes.namespace.into(),
            name: attributes.name.into(),
            labels: attributes.labels.into(),
            fields: attributes.fields.into(),
            protobuf: OnceLock::new(),
        })
    }

    /// The entry for an object that was just committed; it is only written out, never selected on.
    pub(crate) fn written(
        stored: Bytes,
        revision: Revision,
        object: &Object,
    ) -> Result<Self, NotAnEntry> {
        let attributes = Attributes {
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            ..Attributes::default()
        };
        Entry::new(stored, revision, attributes)
    }

    /// An entry for a key that holds no object, such as an allocated address.
    pub(crate) fn opaque(stored: Bytes, revision: Revision) -> Self {
        Entry {
            item: stored.len(),
            stored,
            revision,
            namespace: "".into(),
            name: "".into(),
            labels: Box::default(),
            fields: Box::default(),
            protobuf: OnceLock::new(),
        }
    }

    /// When the object was last written: its `resourceVersion`.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Its namespace, empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(name, _)| **name == *key);
        found.map(|(_, value)| &**value)
    }

    /// The value of a selectable field; `None` if the kind doesn't offer it.
    pub fn field(&self, path: &str) -> Option<&str> {
        match path {
            "metadata.name" => Some(self.name()),
            "metadata.namespace" => Some(self.namespace()),
            _ => self
                .fields
                .iter()
                .find(|(field, _)| *field == path)
                .map(|(_, value)| value.as_str()),
        }
    }

    /// The selectable fields beside name and namespace.
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// The object, parsed now, with its `resourceVersion`.
    pub fn object(&self) -> Object {
        self.object_at(self.revision)
    }

    /// The object with another revision: deletions are reported with their own.
    pub fn object_at(&self, revision: Revision) -> Object {
        let mut object: Object =
            serde_json::from_slice(&self.stored).expect("an entry was parsed when it was made");
        object.set(
            &["metadata", "resourceVersion"],
            Value::String(revision.to_string()),
        );
        object
    }

    /// The bytes as they lie in the store.
    pub fn stored(&self) -> &Bytes {
        &self.stored
    }

    /// How many bytes [`write`](Entry::write) appends at most.
    pub fn size_hint(&self) -> usize {
        self.stored.len() + r#""resourceVersion":"","#.len() + 20
    }

    /// Appends the whole object as JSON.
    pub fn write(&self, out: &mut BytesMut) {
        self.write_at(self.revision, out);
    }

    /// Appends the whole object as JSON, with another revision.
    pub fn write_at(&self, revision: Revision, out: &mut BytesMut) {
        out.put_slice(&self.stored[..self.item]);
        self.write_from_metadata(revision, out);
    }

    /// Appends the object as the item of a list of its kind: without `kind` and `apiVersion`.
    pub fn write_item(&self, out: &mut BytesMut) {
        out.put_u8(b'{');
        self.write_from_metadata(self.revision, out);
    }

    /// Appends a `PartialObjectMetadata` of this version as JSON: the object's metadata and nothing else.
    pub(crate) fn write_metadata(&self, api_version: &str, revision: Revision, out: &mut BytesMut) {
        out.put_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":""#);
        out.put_slice(api_version.as_bytes());
        out.put_slice(br#"","#);
        self.write_up_to(self.metadata_end(), revision, out);
        out.put_u8(b'}');
    }

    /// The object as a protobuf message, made when it is first asked for; an error if its kind has none.
    pub(crate) fn protobuf(&self) -> Result<&Template, ProtobufError> {
        if let Some(made) = self.protobuf.get() {
            return Ok(made);
        }
        let tree: Value =
            serde_json::from_slice(&self.stored).expect("an entry was parsed when it was made");
        let made = Box::new(Template::new(&tree)?);
        Ok(self.protobuf.get_or_init(|| made))
    }

    /// The whole object as JSON.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.size_hint());
        self.write(&mut out);
        out.freeze()
    }

    fn write_from_metadata(&self, revision: Revision, out: &mut BytesMut) {
        self.write_up_to(self.stored.len(), revision, out);
    }

    /// Appends the bytes from the metadata to an end, with the revision in it.
    fn write_up_to(&self, end: usize, revision: Revision, out: &mut BytesMut) {
        let split = self.item + METADATA.len();
        out.put_slice(&self.stored[self.item..split]);
        out.put_slice(br#""resourceVersion":""#);
        put_number(revision.0, out);
        out.put_slice(if self.stored[split] == b'}' {
            b"\""
        } else {
            b"\","
        });
        out.put_slice(&self.stored[split..end]);
    }

    /// Where the metadata ends: behind the brace that closes it.
    fn metadata_end(&self) -> usize {
        let (mut depth, mut in_text, mut escaped) = (0, false, false);
        for (at, byte) in self
            .stored
            .iter()
            .enumerate()
            .skip(self.item + METADATA.len() - 1)
        {
            match (in_text, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_text = !in_text,
                (false, b'{') => depth += 1,
                (false, b'}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.stored.len()
    }
}

/// The form in which an object is stored: JSON with `kind`, `apiVersion`, `metadata` first and no `resourceVersion`.
pub(crate) fn encode(object: &Object) -> Bytes {
    encode_metadata(object, without_revision)
}

/// The same, with the `resourceVersion` that the object carries: for answers that aren't stored.
pub(crate) fn encode_with_revision(object: &Object) -> Bytes {
    encode_metadata(object, |metadata| metadata.iter().collect())
}

fn encode_metadata(object: &Object, select: fn(&Map<String, Value>) -> Fields<'_>) -> Bytes {
    let map = object.as_map();
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    for field in ["kind", "apiVersion", "metadata"] {
        match map.get(field) {
            Some(Value::Object(metadata)) if field == "metadata" => {
                put_field(field, &select(metadata), &mut out);
            }
            Some(value) => put_field(field, value, &mut out),
            None => {}
        }
    }
    let first = ["kind", "apiVersion", "metadata"];
    for (field, value) in map {
        if !first.contains(&field.as_str()) {
            put_field(field, value, &mut out);
        }
    }
    out.push(b'}');
    Bytes::from(out)
}

/// Some fields of an object, in order.
type Fields<'a> = Vec<(&'a String, &'a Value)>;

/// The metadata as it is stored: written by reference, since managed fields can be large.
fn without_revision(metadata: &Map<String, Value>) -> Fields<'_> {
    metadata
        .iter()
        .filter(|(field, _)| *field != "resourceVersion")
        .collect()
}

/// What can be the value of a field while an object is encoded.
trait Encode {
    fn encode(&self, out: &mut Vec<u8>);
}

impl Encode for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a tree of JSON values is JSON");
    }
}

impl Encode for Fields<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (field, value) in self {
            put_field(field, *value, out);
        }
        out.push(b'}');
    }
}

fn put_field(field: &str, value: &impl Encode, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    serde_json::to_writer(&mut *out, field).expect("a string is JSON");
    out.push(b':');
    value.encode(out);
}

/// Appends a number in decimal without a detour over the heap.
fn put_number(mut number: u64, out: &mut BytesMut) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(value: Value) -> Entry {
        let stored = encode(&Object::from_value(value).unwrap());
        Entry::new(stored, Revision(7), Attributes::default()).unwrap()
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_revision_is_spliced_into_the_metadata() {
        let entry = entry(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "data": {"trap": "\"metadata\":{"},
            "metadata": {"name": "a", "resourceVersion": "3"},
        }));
        assert_eq!(
            text(entry.stored()),
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"trap":"\"metadata\":{"}}"#
        );
        assert_eq!(
            text(&entry.to_bytes()),
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"a"},"data":{"trap":"\"metadata\":{"}}"#
        );
        assert_eq!(entry.object().resource_version(), "7");
    }

    #[test]
    fn items_of_a_list_carry_no_kind() {
        let entry = entry(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}));
        let mut out = BytesMut::new();
        entry.write_item(&mut out);
        assert_eq!(
            text(&out),
            r#"{"metadata":{"resourceVersion":"7","name":"a"}}"#
        );
    }

    #[test]
    fn empty_metadata_stays_json() {
        let entry = entry(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}));
        let parsed: Value = serde_json::from_slice(&entry.to_bytes()).unwrap();
        assert_eq!(parsed["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn the_metadata_can_be_written_alone() {
        let metadata = json!({
            "name": "a", "annotations": {"trap": r#"}\"{"#, "empty": ""}, "labels": {"k": "v"},
        });
        for rest in [json!({}), json!({"data": {"x": "}"}})] {
            let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
            object
                .as_object_mut()
                .unwrap()
                .extend(rest.as_object().unwrap().clone());
            let mut out = BytesMut::new();
            entry(object).write_metadata("meta.k8s.io/v1", Revision(9), &mut out);
            let mut expected = metadata.clone();
            expected["resourceVersion"] = "9".into();
            let read: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(
                read,
                json!({
                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": expected,
                })
            );
        }
    }

    #[test]
    fn protobuf_is_made_once_and_only_of_kinds_that_have_it() {
        let pod = entry(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}));
        assert!(pod.protobuf.get().is_none());
        let (first, second) = (pod.protobuf().unwrap(), pod.protobuf().unwrap());
        assert!(std::ptr::eq(first, second));
        let other = json!({"apiVersion": "a.io/v1", "kind": "Gadget", "metadata": {"name": "a"}});
        assert!(entry(other).protobuf().is_err());
    }

    #[test]
    fn values_that_are_no_objects_are_refused() {
        let made = Entry::new(
            Bytes::from_static(b"{}"),
            Revision(1),
            Attributes::default(),
        );
        assert_eq!(made.unwrap_err(), NotAnEntry);
    }
}
