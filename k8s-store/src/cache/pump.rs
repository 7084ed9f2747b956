//! The cache's only writer: follows the engine and makes what it commits visible.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{Cached, Codec, shared::Shared};
use crate::{
    Event, Range, Revision, Store, StoreError, WatchItem, WatchStream,
    version::{timeline::Draft, tree::Tree},
};

/// How many transactions become visible together when the engine is ahead.
const BATCH: usize = 1_024;

type CachedTree<C> = Tree<Cached<<C as Codec>::Entry>>;

/// Reads everything under a prefix, keeping what `known` already holds in the same version.
pub(super) async fn load<C: Codec>(
    store: &dyn Store,
    codec: &C,
    prefix: &Bytes,
    known: &CachedTree<C>,
) -> Result<(CachedTree<C>, Revision), StoreError> {
    let page = store
        .range(Range {
            prefix: prefix.clone(),
            ..Range::default()
        })
        .await?;
    let mut tree = Tree::default();
    for kv in page.items {
        let known = known.get(&kv.key).filter(|old| old.modified == kv.modified);
        tree.insert(match known {
            Some(cached) => Arc::clone(cached),
            None => Arc::new(Cached::decode(codec, kv)?),
        });
    }
    Ok((tree, page.revision))
}

/// Runs until cancelled or until the engine fails, which then every reader learns.
pub(super) async fn run<C: Codec>(
    shared: Arc<Shared<C>>,
    mut changes: WatchStream,
    cancel: CancellationToken,
) {
    let mut farewell = Farewell {
        shared: &shared,
        reason: StoreError::Closed,
    };
    let follow = async {
        loop {
            match follow(&shared, changes).await {
                // The engine forgot what the cache had not seen yet: begin anew, watchers too.
                StoreError::Compacted { .. } => match restart(&shared).await {
                    Ok(resumed) => changes = resumed,
                    Err(error) => return error,
                },
                error => return error,
            }
        }
    };
    if let Some(error) = cancel.run_until_cancelled(follow).await {
        if !matches!(error, StoreError::Closed) {
            tracing::error!(%error, "the watch cache has stopped");
        }
        farewell.reason = error;
    }
}

/// Tells everybody that nothing more will come, even if a codec panics or the runtime goes away.
struct Farewell<'a, C: Codec> {
    shared: &'a Shared<C>,
    reason: StoreError,
}

impl<C: Codec> Drop for Farewell<'_, C> {
    fn drop(&mut self) {
        self.shared.end(self.reason.clone());
    }
}

async fn follow<C: Codec>(shared: &Shared<C>, changes: WatchStream) -> StoreError {
    let mut batches = changes.ready_chunks(BATCH);
    while let Some(batch) = batches.next().await {
        let mut draft = shared.timeline().draft();
        for item in batch {
            if let Err(error) = item.and_then(|item| take(&shared.codec, &mut draft, item)) {
                shared.publish(draft);
                return error;
            }
        }
        shared.publish(draft);
    }
    StoreError::Closed
}

fn take<C: Codec>(
    codec: &C,
    draft: &mut Draft<Cached<C::Entry>>,
    item: WatchItem,
) -> Result<(), StoreError> {
    let (WatchItem::Events(revision, _) | WatchItem::Progress(revision)) = item;
    if revision <= draft.revision {
        return Ok(());
    }
    let WatchItem::Events(_, events) = item else {
        draft.revision = revision;
        return Ok(());
    };
    // Decode all before changing anything: a transaction becomes visible whole or not at all.
    let decode = |event| match event {
        Event::Put { current, .. } => Cached::decode(codec, current).map(Ok),
        Event::Delete { previous, .. } => Ok(Err(previous.key)),
    };
    let writes = events
        .into_iter()
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    draft.revision = revision;
    for write in writes {
        match write {
            Ok(cached) => draft.put(Arc::new(cached)),
            Err(key) => draft.delete(&key),
        }
    }
    Ok(())
}

async fn restart<C: Codec>(shared: &Shared<C>) -> Result<WatchStream, StoreError> {
    let known = shared.timeline().tree().clone();
    let store = &*shared.store;
    let (tree, revision) = load(store, &shared.codec, &shared.prefix, &known).await?;
    let changes = store.watch(shared.prefix.clone(), revision).await?;
    shared.reset(tree, revision);
    Ok(changes)
}
