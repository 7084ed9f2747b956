//! etcd keeps the contract of `Store`, and so does the watch cache in front of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use k8s_store::{
    Store,
    testing::{self, Apart, ThroughCache},
};

use crate::server::Server;

/// Makes stores of parts of one server, one after the other.
struct Parts {
    store: Arc<dyn Store>,
    count: AtomicUsize,
}

impl Parts {
    async fn of(server: &Server) -> Self {
        Parts {
            store: server.store().await,
            count: AtomicUsize::new(0),
        }
    }

    async fn next(&self) -> Arc<dyn Store> {
        let prefix = format!("/{}/", self.count.fetch_add(1, Relaxed));
        let part = Apart::new(Arc::clone(&self.store), prefix).await;
        Arc::new(part.expect("the server answers"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn etcd_conforms() {
    let server = Server::start();
    let parts = Parts::of(&server).await;
    testing::conformance(async || parts.next().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cache_conforms_over_etcd() {
    let server = Server::start();
    let parts = Parts::of(&server).await;
    testing::contract(async || {
        let cached = ThroughCache::new(parts.next().await).await;
        Arc::new(cached.expect("the cache starts")) as _
    })
    .await;
}
