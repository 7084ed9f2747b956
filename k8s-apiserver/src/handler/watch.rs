//! Watches: a stream of frames, one per change, that starts where the client left off.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use k8s_apimachinery::Value;
use k8s_store::{
    Revision, StoreError,
    cache::{Bucket, CacheEvent, Filter, WatchRequest, Watcher},
};
use rand::Rng;
use serde_json::json;

use super::{Call, Encoding, Format, Shape, respond, table};
use crate::{
    ApiError, BoxError, Response, body,
    registry::{Entry, EntryCodec, Resource, Selection, Stored, is_bucketed, key, parse_revision},
    status::Status,
};

/// Watches without a timeout end after this long, times a random factor up to two, so that they don't all come back at
/// once.
const LIFETIME: Duration = Duration::from_secs(1800);

/// The annotation that ends the initial events of a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the changes after this revision.
    After(Revision),
    /// With all that is there, then its changes; at the end of the first part a bookmark, if so.
    Everything { bookmark: bool },
}

/// Answers with a stream that ends when the client goes, the time is up, or history was compacted.
pub(crate) async fn watch(call: Call) -> Result<Response, ApiError> {
    let format = call.format()?;
    if !Call::is_json(format) {
        return Err(ApiError::NotAcceptable {
            offered: vec!["application/json"],
        });
    }
    let bookmarks = call.info.flag("allowWatchBookmarks");
    let start = start(&call, bookmarks)?;
    let selection = call.selection()?;
    let bucket = bucket(&selection);
    let lifetime = lifetime(&call)?;

    // The old watch paths name an object without a selector; a selector that names one is in the path's info as well.
    let name = call.info.name.clone();
    let selects: Filter<Entry> = Arc::new(move |entry: &Entry| {
        (name.is_empty() || entry.name() == name) && selection.selects(entry)
    });
    let prefix = prefix(&call);
    let (initial, from) = initial(&call, &*selects, &prefix, start).await?;
    let request = WatchRequest {
        prefix,
        from,
        bucket,
        filter: selects,
        bookmarks,
    };
    let mut frames = Frames::new(call, format);
    let watcher = match frames.call.registry.cache().watch(request) {
        Ok(watcher) => watcher,
        // An old revision is reported in the stream, as clients expect it of a watch.
        Err(error @ StoreError::Compacted { .. }) => {
            return Ok(stream_response(stream::iter([Ok(frames.error(error))])));
        }
        Err(error) => return Err(error.into()),
    };
    let mut first: VecDeque<Bytes> = initial.iter().map(|stored| frames.added(stored)).collect();
    if start == (Start::Everything { bookmark: true }) {
        first.push_back(frames.bookmark(from, true));
    }
    let frames = follow(first, watcher, frames);
    Ok(stream_response(
        frames.take_until(tokio::time::sleep(lifetime)),
    ))
}

fn stream_response(
    frames: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
) -> Response {
    let mut response = Response::new(body::stream(frames));
    *response.status_mut() = StatusCode::OK;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// First what is there, then each change as it comes; an error is the last frame.
fn follow(
    first: VecDeque<Bytes>,
    watcher: Watcher<EntryCodec>,
    frames: Frames,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    let changes = stream::unfold((watcher, frames), |(mut watcher, mut frames)| async move {
        let frame = match watcher.next().await? {
            Ok(event) => frames.event(&event),
            Err(StoreError::Closed) => return None,
            Err(error) => frames.error(error),
        };
        Some((Ok(frame), (watcher, frames)))
    });
    stream::iter(first.into_iter().map(Ok)).chain(changes)
}

fn start(call: &Call, bookmarks: bool) -> Result<Start, ApiError> {
    let version = call.info.param("resourceVersion").unwrap_or_default();
    let wants_initial = call
        .info
        .param("sendInitialEvents")
        .is_some_and(|text| !text.is_empty());
    let matching = call.info.param("resourceVersionMatch").unwrap_or_default();
    if wants_initial && matching != "NotOlderThan" {
        return Err(ApiError::BadRequest(
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan".to_owned(),
        ));
    }
    if !wants_initial && !matching.is_empty() {
        return Err(ApiError::BadRequest(
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                .to_owned(),
        ));
    }
    if call.info.flag("sendInitialEvents") {
        return Ok(Start::Everything {
            bookmark: bookmarks,
        });
    }
    match version {
        "" | "0" if wants_initial => Ok(Start::After(call.registry.cache().revision())),
        "" | "0" => Ok(Start::Everything { bookmark: false }),
        version => parse_revision(version).map(Start::After),
    }
}

/// The objects to begin with, and the revision after which changes follow.
async fn initial(
    call: &Call,
    selects: &(dyn Fn(&Entry) -> bool + Send + Sync),
    prefix: &[u8],
    start: Start,
) -> Result<(Vec<Arc<Stored>>, Revision), ApiError> {
    let (registry, revision) = (&call.registry, call.info.param("resourceVersion"));
    match start {
        Start::After(after) => {
            registry.refresh(revision).await?;
            Ok((Vec::new(), after))
        }
        Start::Everything { .. } => {
            let filter = |stored: &Stored| selects(&stored.entry);
            registry.select(prefix, revision, &filter).await
        }
    }
}

/// The narrowest prefix of what is watched. A key is a prefix of others, so a name is for the filter to check as well.
fn prefix(call: &Call) -> Bytes {
    let (row, namespace) = (&call.resource.row, call.namespace());
    let is_one = !call.info.name.is_empty() && (!row.namespaced || !namespace.is_empty());
    match is_one {
        true => key::object(row, namespace, &call.info.name),
        false => key::collection(row, namespace),
    }
}

/// The bucket that narrows down what this watcher is woken for.
fn bucket(selection: &Selection) -> Option<Bucket> {
    let fields = selection.fields.as_ref()?;
    let index = "spec.nodeName";
    let value = fields
        .exact(index)
        .filter(|value| is_bucketed(index) && !value.is_empty())?;
    Some(Bucket {
        index,
        value: value.to_owned(),
    })
}

fn lifetime(call: &Call) -> Result<Duration, ApiError> {
    match call.info.param("timeoutSeconds") {
        None | Some("" | "0") => Ok(LIFETIME.mul_f64(rand::rng().random_range(1.0..2.0))),
        Some(text) => text
            .parse()
            .map(Duration::from_secs)
            .map_err(|_| ApiError::BadRequest(format!("invalid timeoutSeconds: {text:?}"))),
    }
}

/// Writes the frames of one watch in the form that its client accepts.
struct Frames {
    call: Call,
    format: Format,
    /// Whether the next table is the first, which carries the columns.
    first_table: bool,
}

impl Frames {
    fn new(call: Call, format: Format) -> Self {
        let format = Format {
            encoding: Encoding::Json { pretty: false },
            ..format
        };
        Frames {
            call,
            format,
            first_table: true,
        }
    }

    fn event(&mut self, event: &CacheEvent<Entry>) -> Bytes {
        match event {
            CacheEvent::Added(stored) => self.added(stored),
            CacheEvent::Modified(stored) => self.object("MODIFIED", &stored.entry, stored.modified),
            CacheEvent::Deleted { last, revision } => {
                self.object("DELETED", &last.entry, *revision)
            }
            CacheEvent::Bookmark(revision) => self.bookmark(*revision, false),
        }
    }

    fn added(&mut self, stored: &Stored) -> Bytes {
        self.object("ADDED", &stored.entry, stored.modified)
    }

    fn object(&mut self, kind: &str, entry: &Entry, revision: Revision) -> Bytes {
        let is_stored = self.call.is_stored_form() && self.format.shape == Shape::Whole;
        if !is_stored {
            let object = self.call.wire_object(entry.object_at(revision));
            let now = self.call.registry.config().environment.now();
            let value = match self.format.shape {
                Shape::Whole => object.into_value(),
                Shape::Metadata => table::metadata_only(&object),
                Shape::Table(include) => {
                    let rows = vec![table::row(&self.call.resource, &object, include, now)];
                    let first = std::mem::take(&mut self.first_table);
                    table::table(&self.call.resource, object.resource_version(), rows, first)
                }
            };
            return frame(kind, &value);
        }
        let mut out = BytesMut::with_capacity(entry.size_hint() + 40);
        out.put_slice(br#"{"type":""#);
        out.put_slice(kind.as_bytes());
        out.put_slice(br#"","object":"#);
        entry.write_at(revision, &mut out);
        out.put_slice(b"}\n");
        out.freeze()
    }

    fn bookmark(&mut self, revision: Revision, initial_events_end: bool) -> Bytes {
        let resource: &Resource = &self.call.resource;
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if initial_events_end {
            metadata["annotations"] = json!({ (INITIAL_EVENTS_END): "true" });
        }
        let gvk = resource.gvk(&self.call.info.version);
        let mut object = match self.format.shape {
            Shape::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1" })
            }
            Shape::Whole => json!({ "kind": gvk.kind, "apiVersion": gvk.api_version() }),
            Shape::Table(_) => {
                let row = json!({
                    "cells": [],
                    "object": {
                        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                    },
                });
                let first = std::mem::take(&mut self.first_table);
                let version = revision.to_string();
                let table = table::table(resource, &version, vec![row], first);
                return frame("BOOKMARK", &table);
            }
        };
        object["metadata"] = metadata;
        frame("BOOKMARK", &object)
    }

    fn error(&mut self, error: StoreError) -> Bytes {
        let status = Status::from(&ApiError::from(error)).to_bytes();
        let status: Value = serde_json::from_slice(&status).expect("a Status is JSON");
        frame("ERROR", &status)
    }
}

fn frame(kind: &str, object: &Value) -> Bytes {
    let frame = json!({ "type": kind, "object": object });
    let mut bytes = respond::encode(&frame, Format::JSON.encoding).to_vec();
    bytes.push(b'\n');
    Bytes::from(bytes)
}
