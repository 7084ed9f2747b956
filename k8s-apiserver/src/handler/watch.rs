//! Watches: a stream of frames, one per change, that starts where the client left off.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderValue, header};
use k8s_store::{
    Revision, StoreError,
    cache::{Bucket, Filter, WatchRequest, Watcher},
};
use rand::Rng;

use super::{Call, Encoding, frame::Frames, list_options, websocket::Upgrade};
use crate::{
    ApiError, BoxError, Response, body,
    registry::{Entry, EntryCodec, Selection, Stored, is_bucketed, key, parse_revision},
};

/// Watches without a timeout end after this long, times a random factor up to two, so that they don't all come back at
/// once.
const LIFETIME: Duration = Duration::from_secs(1800);

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the changes after this revision.
    After(Revision),
    /// With all that is there, then its changes; at the end of the first part a bookmark, if so.
    Everything { bookmark: bool },
}

/// Answers with a stream that ends when the client goes, the time is up, or history was compacted.
pub(crate) async fn watch(mut call: Call) -> Result<Response, ApiError> {
    let upgrade = Upgrade::take(&mut call.parts)?;
    let tasks = call.tasks.clone();
    let format = call.format()?;
    list_options::validate(&call.info, true)?;
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
            let error = frames.error(&error.into());
            let only = stream::iter([Ok(error)]);
            return Ok(match upgrade {
                Some(upgrade) => upgrade.serve(&tasks, only, format.encoding),
                None => stream_response(only, format.encoding),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let mut first: VecDeque<Bytes> = initial
        .iter()
        .map(|stored| frames.initial(stored))
        .collect();
    if start == (Start::Everything { bookmark: true }) {
        first.push_back(frames.bookmark(from, true));
    }
    let frames = follow(first, watcher, frames).take_until(tokio::time::sleep(lifetime));
    Ok(match upgrade {
        Some(upgrade) => upgrade.serve(&tasks, frames, format.encoding),
        None => stream_response(frames, format.encoding),
    })
}

fn stream_response(
    frames: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
    encoding: Encoding,
) -> Response {
    let mut response = Response::new(body::stream(frames));
    let media_type = match encoding {
        Encoding::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch",
        _ => "application/json",
    };
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
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
            Err(error) => frames.error(&error.into()),
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
    match list_options::number(&call.info, "timeoutSeconds")? {
        None | Some(0) => Ok(LIFETIME.mul_f64(rand::rng().random_range(1.0..2.0))),
        Some(seconds) => Ok(Duration::from_secs(
            u64::try_from(seconds).unwrap_or_default(),
        )),
    }
}
