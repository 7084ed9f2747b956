//! Reads that see what others have committed, through stores of their own, before the read began.
//!
//! On a store that nobody shares the cache is always fresh: commits return when it shows them. On a
//! shared one the store is asked for its newest revision, and the cache waits until its watch has come
//! so far, which the store tells on request. If it can't tell, or takes too long, the store itself is
//! read. (Kubernetes calls this consistent reads from cache, KEP-2340.)

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{Cached, Codec, Listing, WatchCache, pump::load, watch_cache::select};
use crate::{Revision, StoreError};

/// How often progress is asked for while somebody waits for it: as often as Kubernetes does.
const NUDGE: Duration = Duration::from_millis(100);

/// How long to wait for the cache before the store is read instead.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait if only events can tell how far the cache has come: they take about a round trip.
const GRACE: Duration = Duration::from_millis(10);

impl<C: Codec> WatchCache<C> {
    /// The newest state of one key, whoever wrote it.
    pub async fn get_fresh(&self, key: &[u8]) -> Result<Option<Arc<Cached<C::Entry>>>, StoreError> {
        match self.catch_up().await? {
            true => Ok(self.get(key)),
            false => self.get_stored(key).await,
        }
    }

    /// The newest state under a prefix, whoever wrote it; else as [`WatchCache::list`]. The revision
    /// may be ahead of the cache, on a shared store, and can be watched from all the same.
    pub async fn list_fresh(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Option<usize>,
        filter: &(dyn Fn(&Cached<C::Entry>) -> bool + Sync),
    ) -> Result<Listing<C::Entry>, StoreError> {
        match self.catch_up().await? {
            true => Ok(self.list(prefix, after, limit, filter)),
            false => self.list_stored(prefix, after, limit, filter).await,
        }
    }

    /// One key, read from the store. What the cache has in the same version is shared.
    pub async fn get_stored(
        &self,
        key: &[u8],
    ) -> Result<Option<Arc<Cached<C::Entry>>>, StoreError> {
        let (found, _) = self.shared.store.get(key).await?;
        let Some(kv) = found else { return Ok(None) };
        Ok(Some(match self.get(key) {
            Some(known) if known.modified == kv.modified => known,
            _ => Arc::new(Cached::decode(&self.shared.codec, kv)?),
        }))
    }

    /// All under a prefix, read from the store; else as [`WatchCache::list`].
    pub async fn list_stored(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Option<usize>,
        filter: &(dyn Fn(&Cached<C::Entry>) -> bool + Sync),
    ) -> Result<Listing<C::Entry>, StoreError> {
        let known = self.shared.timeline().tree().clone();
        let (store, codec) = (&*self.shared.store, &self.shared.codec);
        let prefix = Bytes::copy_from_slice(prefix);
        let (tree, revision) = load(store, codec, &prefix, &known).await?;
        Ok(select(&tree, revision, &prefix, after, limit, filter))
    }

    /// Waits until the cache shows all that was committed before the call. `false` if it is not known
    /// to: then a fresh read has to go to the store.
    pub async fn catch_up(&self) -> Result<bool, StoreError> {
        if !self.shared.store.is_shared() {
            return Ok(true);
        }
        let current = self.shared.store.current().await?;
        self.approach(current).await
    }

    /// Waits until the cache shows a revision that was heard of elsewhere. `false` if it is not known
    /// to, although the store has come so far; [`StoreError::Future`] if that hasn't either.
    pub async fn reach(&self, revision: Revision) -> Result<bool, StoreError> {
        if self.shared.visible() >= revision {
            return Ok(true);
        }
        let current = self.shared.store.current().await?;
        if current < revision {
            let requested = revision;
            return Err(StoreError::Future { requested, current });
        }
        self.approach(revision).await
    }

    /// Waits for a revision that the store has reached.
    pub(super) async fn approach(&self, revision: Revision) -> Result<bool, StoreError> {
        if !self.shared.store.is_shared() {
            self.wait_for(revision).await?;
        }
        let begun = Instant::now();
        while self.shared.visible() < revision {
            let told = self.shared.store.request_progress().await?;
            let wait = if told { NUDGE } else { GRACE };
            if let Ok(reached) = timeout(wait, self.wait_for(revision)).await {
                reached?;
            } else if !told || begun.elapsed() >= PATIENCE {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
