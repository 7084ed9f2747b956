//! List, then watch, for ever: the one place that talks to the API on behalf of caches.
//!
//! A [`Source`] lists its collection in pages, hands the whole to its [`Sink`], and then watches
//! from the list's revision. A watch that ends is resumed from the last revision seen (bookmarks
//! included); a revision that the server has compacted (`410 Expired`) starts over with a list;
//! any other failure waits a little longer each time. `managedFields` never reach the sink: no
//! controller reads them, and they are often the larger half of an object.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Resource,
    api::{ListParams, WatchEvent, WatchParams},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Backoff, Watched};

/// Which part of a collection to follow, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WatchConfig {
    /// Only objects whose labels match; everything when `None`.
    pub label_selector: Option<String>,
    /// Only objects whose fields match; everything when `None`.
    pub field_selector: Option<String>,
    /// Objects per page of the list.
    pub page_size: u32,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            label_selector: None,
            field_selector: None,
            page_size: 500,
        }
    }
}

impl WatchConfig {
    /// Follows only objects whose labels match.
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// Follows only objects whose fields match.
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }
}

/// Receives what a [`Source`] learns. Called from one task, in the order of the server's revisions.
pub trait Sink<K>: Send {
    /// At revision `rv` the collection is exactly this: what isn't in it is gone.
    fn replace(&mut self, objects: Vec<K>, rv: &str);
    /// An object was created or changed.
    fn apply(&mut self, object: K);
    /// An object was deleted; this is its last state.
    fn delete(&mut self, object: K);
    /// Nothing else has happened up to revision `rv`.
    fn bookmark(&mut self, rv: &str);
}

/// A collection of the API, as an endless stream of changes.
pub struct Source<K> {
    api: Api<K>,
    config: WatchConfig,
}

/// Why a watch ended without being asked to.
enum Interrupted {
    /// The server no longer has the revision: list again.
    Expired,
    Failed(kube::Error),
}

impl From<kube::Error> for Interrupted {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.code == 410 => Self::Expired,
            other => Self::Failed(other),
        }
    }
}

/// A watch is asked to end after this long, so that a dead connection is noticed.
const WATCH_SECONDS: u32 = 290;
/// A watch that is silent for longer than it should have lived is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 30);
/// A watch that ends sooner than this without an event is a failure, lest a broken server be
/// asked in a tight loop.
const TOO_SHORT: Duration = Duration::from_secs(1);

impl<K: Watched> Source<K> {
    /// A source that does nothing until it is run.
    pub fn new(api: Api<K>, config: WatchConfig) -> Self {
        Self { api, config }
    }

    /// Feeds the sink until cancelled.
    pub async fn run(&self, sink: &mut impl Sink<K>, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.follow(sink)).await;
    }

    async fn follow(&self, sink: &mut impl Sink<K>) {
        let url = self.api.resource_url();
        let mut backoff = Backoff::watch();
        loop {
            let mut rv = match self.list(sink).await {
                Ok(rv) => rv,
                Err(error) => {
                    tracing::debug!(url, %error, "list failed");
                    tokio::time::sleep(backoff.next_delay()).await;
                    continue;
                }
            };
            backoff.reset();
            loop {
                let (started, before) = (Instant::now(), rv.clone());
                match self.watch(sink, &mut rv).await {
                    Ok(()) if rv != before || started.elapsed() >= TOO_SHORT => backoff.reset(),
                    Ok(()) => tokio::time::sleep(backoff.next_delay()).await,
                    Err(Interrupted::Expired) => {
                        tracing::debug!(url, rv, "revision expired, listing again");
                        break;
                    }
                    Err(Interrupted::Failed(error)) => {
                        tracing::debug!(url, rv, %error, "watch failed");
                        if rv != before {
                            backoff.reset();
                        }
                        tokio::time::sleep(backoff.next_delay()).await;
                    }
                }
            }
        }
    }

    /// Lists all pages into the sink; returns the revision to watch from.
    async fn list(&self, sink: &mut impl Sink<K>) -> Result<String, kube::Error> {
        let mut params = ListParams {
            label_selector: self.config.label_selector.clone(),
            field_selector: self.config.field_selector.clone(),
            limit: Some(self.config.page_size),
            ..ListParams::default()
        };
        let mut objects = Vec::new();
        loop {
            let page = self.api.list(&params).await?;
            objects.extend(page.items.into_iter().map(slim));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => {
                    let rv = page.metadata.resource_version.unwrap_or_default();
                    sink.replace(objects, &rv);
                    return Ok(rv);
                }
            }
        }
    }

    /// Watches from `rv`, moving it along, until the server ends the watch.
    async fn watch(&self, sink: &mut impl Sink<K>, rv: &mut String) -> Result<(), Interrupted> {
        let params = WatchParams {
            label_selector: self.config.label_selector.clone(),
            field_selector: self.config.field_selector.clone(),
            timeout: Some(WATCH_SECONDS),
            ..WatchParams::default()
        };
        let events = self.api.watch(&params, rv).await?;
        pin_mut!(events);
        while let Ok(Some(event)) = tokio::time::timeout(SILENCE, events.next()).await {
            match event? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    note_revision(&object, rv);
                    sink.apply(slim(object));
                }
                WatchEvent::Deleted(object) => {
                    note_revision(&object, rv);
                    sink.delete(slim(object));
                }
                WatchEvent::Bookmark(bookmark) => {
                    *rv = bookmark.metadata.resource_version;
                    sink.bookmark(rv);
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status).into()),
            }
        }
        Ok(())
    }
}

fn note_revision<K: Resource>(object: &K, rv: &mut String) {
    if let Some(revision) = &object.meta().resource_version {
        rv.clone_from(revision);
    }
}

fn slim<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}
