//! Every engine, and the cache in front of each, keeps the contract of `Store`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use k8s_store::{
    Store,
    embedded::EmbeddedStore,
    memory::MemoryStore,
    testing::{self, ThroughCache},
};
use tempfile::TempDir;

/// Makes stores in directories of their own below one that goes away.
struct Embedded {
    parent: TempDir,
    count: AtomicUsize,
}

impl Embedded {
    fn new() -> Self {
        Embedded {
            parent: tempfile::tempdir().unwrap(),
            count: AtomicUsize::new(0),
        }
    }

    async fn open(&self) -> Arc<dyn Store> {
        let number = self.count.fetch_add(1, Relaxed);
        Arc::new(
            EmbeddedStore::open(self.parent.path().join(number.to_string()))
                .await
                .unwrap(),
        )
    }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

async fn cached(store: Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(ThroughCache::new(store).await.unwrap())
}

#[tokio::test]
async fn memory_conforms() {
    testing::conformance(async || memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms_on_many_threads() {
    testing::conformance(async || memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn embedded_conforms() {
    let embedded = Embedded::new();
    testing::conformance(async || embedded.open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cache_conforms_over_memory() {
    testing::contract(async || cached(memory()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cache_conforms_over_embedded() {
    let embedded = Embedded::new();
    testing::contract(async || cached(embedded.open().await).await).await;
}
