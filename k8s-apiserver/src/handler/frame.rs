//! The frames of one watch, in the form that its client accepts.
//!
//! Watchers that want the same of an object share one frame ([`SharedFrames`]). Bookmarks and errors are few and small,
//! and made for each.

mod shared;

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use k8s_apimachinery::{
    Value,
    scheme::protobuf::{self, Part},
};
use k8s_store::{Revision, cache::CacheEvent};
use serde_json::json;

pub(crate) use shared::SharedFrames;

use self::shared::Form;
use super::{Call, Encoding, Format, MetaVersion, Shape, respond, table};
use crate::{
    ApiError,
    registry::{Entry, Stored},
    status::Status,
};

/// The annotation that ends the initial events of a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Writes the frames of one watch.
pub(super) struct Frames {
    pub(super) call: Call,
    format: Format,
    /// Whether the next table is the first, which carries the columns.
    is_first: bool,
}

/// An object's part in a change.
struct Change<'a> {
    /// `ADDED`, `MODIFIED`, `DELETED`.
    event: &'static str,
    entry: &'a Entry,
    /// A deletion has its own, by which a watch can go on.
    revision: Revision,
    /// Whether a table carries its columns.
    with_columns: bool,
}

impl Frames {
    /// Frames for whoever made this call. They are never pretty.
    pub(super) fn new(call: Call, format: Format) -> Self {
        let encoding = match format.encoding {
            Encoding::Json { .. } => Format::JSON.encoding,
            other => other,
        };
        Frames {
            call,
            format: Format { encoding, ..format },
            is_first: true,
        }
    }

    /// The frame of a change, which other watchers get as well.
    pub(super) fn event(&mut self, event: &CacheEvent<Entry>) -> Bytes {
        match event {
            CacheEvent::Added(stored) => self.shared("ADDED", stored, stored.modified),
            CacheEvent::Modified(stored) => self.shared("MODIFIED", stored, stored.modified),
            CacheEvent::Deleted { last, revision } => self.shared("DELETED", last, *revision),
            CacheEvent::Bookmark(revision) => self.bookmark(*revision, false),
        }
    }

    /// The frame of an object that is there at the beginning. Nobody else begins at the same moment.
    pub(super) fn initial(&mut self, stored: &Stored) -> Bytes {
        let change = Change {
            event: "ADDED",
            entry: &stored.entry,
            revision: stored.modified,
            with_columns: self.takes_columns(),
        };
        self.change(&change)
    }

    fn shared(&mut self, event: &'static str, stored: &Arc<Stored>, revision: Revision) -> Bytes {
        let change = Change {
            event,
            entry: &stored.entry,
            revision,
            with_columns: self.takes_columns(),
        };
        let form = Form {
            event,
            revision,
            format: self.format,
            with_columns: change.with_columns,
            version: self.call.info.version.clone(),
            second: match self.format.shape {
                Shape::Table(..) => self.call.registry.config().environment.now().as_second(),
                _ => 0,
            },
        };
        let frames = self.call.frames.clone();
        frames.get_or_make(stored, form, || self.change(&change))
    }

    /// The first table carries the columns.
    fn takes_columns(&mut self) -> bool {
        std::mem::take(&mut self.is_first)
    }

    fn change(&self, change: &Change<'_>) -> Bytes {
        let written = match self.stored(change) {
            Some(frame) => Ok(frame),
            None => self.frame(change.event, &self.shaped(change)),
        };
        written.unwrap_or_else(|error| self.error(&error))
    }

    /// The forms for which no object is parsed.
    fn stored(&self, change: &Change<'_>) -> Option<Bytes> {
        if !self.call.is_stored_form() {
            return None;
        }
        let (entry, revision) = (change.entry, change.revision);
        let gvk = || self.call.resource.gvk(&self.call.info.version);
        let message = |part, api_version: &str, kind: &str| {
            let version = revision.to_string();
            let object = entry
                .protobuf()
                .ok()?
                .body(part, api_version, kind, &version);
            Some(Bytes::from(protobuf::watch_event(change.event, &object)))
        };
        match (self.format.encoding, self.format.shape) {
            (Encoding::Protobuf, Shape::Whole) => {
                let gvk = gvk();
                message(Part::Whole, &gvk.api_version(), &gvk.kind)
            }
            (Encoding::Protobuf, Shape::Metadata(version)) => {
                message(Part::Metadata, version.api_version(), METADATA)
            }
            (_, Shape::Whole) => Some(text(change, |out| entry.write_at(revision, out))),
            (_, Shape::Metadata(version)) => Some(text(change, |out| {
                entry.write_metadata(version.api_version(), revision, out);
            })),
            (_, Shape::Table(..)) => None,
        }
    }

    fn shaped(&self, change: &Change<'_>) -> Value {
        let resource = &self.call.resource;
        let stored = change.entry.object_at(change.revision);
        let object = self.call.wire_object(stored);
        match self.format.shape {
            Shape::Whole => object.into_value(),
            Shape::Metadata(version) => table::metadata_only(&object, version),
            Shape::Table(include, meta) => {
                let now = self.call.registry.config().environment.now();
                let rows = vec![table::row(resource, &object, include, meta, now)];
                let version = object.resource_version();
                table::table(resource, meta, version, rows, change.with_columns)
            }
        }
    }

    /// A frame without an object: nothing up to this revision is outstanding.
    pub(super) fn bookmark(&mut self, revision: Revision, ends_initial_events: bool) -> Bytes {
        let resource = self.call.resource.clone();
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if ends_initial_events {
            metadata["annotations"] = json!({ (INITIAL_EVENTS_END): "true" });
        }
        let partial = |meta: MetaVersion| json!({ "kind": METADATA, "apiVersion": meta.api_version(), "metadata": metadata });
        let tree = match self.format.shape {
            Shape::Metadata(version) => partial(version),
            Shape::Whole => {
                let gvk = resource.gvk(&self.call.info.version);
                json!({ "kind": gvk.kind, "apiVersion": gvk.api_version(), "metadata": metadata })
            }
            Shape::Table(_, meta) => {
                let row = json!({ "cells": [], "object": partial(meta) });
                let version = revision.to_string();
                table::table(&resource, meta, &version, vec![row], self.takes_columns())
            }
        };
        let written = self.frame("BOOKMARK", &tree);
        written.unwrap_or_else(|error| self.error(&error))
    }

    /// The last frame of a watch that can't go on.
    pub(super) fn error(&self, error: &ApiError) -> Bytes {
        let status = Status::from(error).to_bytes();
        let status: Value = serde_json::from_slice(&status).expect("a Status is JSON");
        self.frame("ERROR", &status)
            .expect("a Status can be written in every form")
    }

    fn frame(&self, event: &str, object: &Value) -> Result<Bytes, ApiError> {
        if self.format.encoding == Encoding::Protobuf {
            let object = respond::encode(object, self.format.encoding)?;
            return Ok(protobuf::watch_event(event, &object).into());
        }
        let frame = json!({ "type": event, "object": object });
        let mut bytes = respond::encode(&frame, self.format.encoding)?.to_vec();
        bytes.push(b'\n');
        Ok(bytes.into())
    }
}

const METADATA: &str = "PartialObjectMetadata";

/// A frame of JSON round what `write` appends.
fn text(change: &Change<'_>, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::with_capacity(change.entry.size_hint() + 40);
    out.put_slice(br#"{"type":""#);
    out.put_slice(change.event.as_bytes());
    out.put_slice(br#"","object":"#);
    write(&mut out);
    out.put_slice(b"}\n");
    out.freeze()
}
