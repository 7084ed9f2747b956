//! Turns committed values into [`Entry`]s for the watch cache: the one place where a stored value is read.

use std::sync::Arc;

use k8s_apimachinery::Object;
use k8s_store::{
    KeyValue,
    cache::{Bucket, Codec, CodecError},
};
use serde::Deserialize;

use super::{Entry, entry::Attributes, key, resource::Resources};

/// The codec that the server injects into the watch cache.
///
/// Most kinds can only be selected by name, namespace and labels, for which the metadata is enough; the rest of the
/// value is skipped, not built. Kinds with selectable fields are parsed whole, once per write.
#[derive(Debug, Clone)]
pub struct EntryCodec {
    resources: Arc<Resources>,
}

/// The part of a stored value that selectors look at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<Box<str>, Box<str>>,
}

impl EntryCodec {
    /// A codec that knows the kinds registered in `resources`, now and later.
    pub(crate) fn new(resources: Arc<Resources>) -> Self {
        EntryCodec { resources }
    }

    fn decode(&self, kv: &KeyValue) -> Result<Entry, CodecError> {
        if kv.key.starts_with(key::RANGES.as_bytes()) {
            return Ok(Entry::opaque(kv.value.clone(), kv.modified));
        }
        let unreadable = |error: &dyn std::fmt::Display| CodecError::from(error.to_string());
        let head: Head = serde_json::from_slice(&kv.value).map_err(|e| unreadable(&e))?;
        let fields = match self.resources.stored_as(&head.api_version, &head.kind) {
            Some(resource) if !resource.strategy.selectable().is_empty() => {
                let object: Object =
                    serde_json::from_slice(&kv.value).map_err(|e| unreadable(&e))?;
                resource.strategy.fields(&object)
            }
            _ => Vec::new(),
        };
        let attributes = Attributes {
            namespace: head.metadata.namespace,
            name: head.metadata.name,
            labels: head.metadata.labels.into_iter().collect(),
            fields,
        };
        Entry::new(kv.value.clone(), kv.modified, attributes).map_err(|e| unreadable(&e))
    }
}

impl Codec for EntryCodec {
    type Entry = Entry;

    fn entry(&self, kv: &KeyValue) -> Result<Entry, CodecError> {
        self.decode(kv)
    }

    /// Watchers that select one value of a field are woken only by objects that have or had it.
    fn buckets(&self, entry: &Entry, out: &mut Vec<Bucket>) {
        for (field, value) in entry.fields() {
            if is_bucketed(field) && !value.is_empty() {
                out.push(Bucket {
                    index: field,
                    value: value.clone(),
                });
            }
        }
    }
}

/// The fields that many watchers select on, each its own value: every kubelet watches its own pods.
pub(crate) fn is_bucketed(field: &str) -> bool {
    field == "spec.nodeName"
}
