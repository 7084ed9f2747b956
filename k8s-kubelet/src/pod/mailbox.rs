//! What a worker is told: the newest state only, however often it changed meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::eviction::Eviction;

/// A worker's mailbox.
pub(crate) struct Mailbox {
    letter: Mutex<Letter>,
    news: Notify,
    /// Cancelled when the pod shall not start anything any more.
    pub(crate) stop: CancellationToken,
}

#[derive(Clone)]
struct Letter {
    pod: Arc<Pod>,
    is_gone: bool,
    is_withdrawn: bool,
    mirror: Option<Arc<Pod>>,
    eviction: Option<Eviction>,
}

impl Mailbox {
    pub(crate) fn new(pod: Arc<Pod>) -> Self {
        let mailbox = Self {
            letter: Mutex::new(Letter {
                pod: pod.clone(),
                is_gone: false,
                is_withdrawn: false,
                mirror: None,
                eviction: None,
            }),
            news: Notify::new(),
            stop: CancellationToken::new(),
        };
        mailbox.put(pod);
        mailbox
    }

    /// The pod's newest state.
    pub(crate) fn put(&self, pod: Arc<Pod>) {
        if pod.metadata.deletion_timestamp.is_some() {
            self.stop.cancel();
        }
        self.letter().pod = pod;
        self.news.notify_one();
    }

    /// The pod is gone from the API; this was its last state.
    pub(crate) fn gone(&self, pod: Arc<Pod>) {
        self.stop.cancel();
        let mut letter = self.letter();
        letter.pod = pod;
        letter.is_gone = true;
        drop(letter);
        self.news.notify_one();
    }

    /// No file defines the static pod any more: it is to end.
    pub(crate) fn withdraw(&self) {
        self.stop.cancel();
        self.letter().is_withdrawn = true;
        self.news.notify_one();
    }

    /// Whether the pod is a static one that no file defines any more.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.letter().is_withdrawn
    }

    /// The API has this image of the static pod, or none.
    pub(crate) fn set_mirror(&self, mirror: Option<Arc<Pod>>) {
        self.letter().mirror = mirror;
        self.news.notify_one();
    }

    /// The API's image of the static pod.
    pub(crate) fn mirror(&self) -> Option<Arc<Pod>> {
        self.letter().mirror.clone()
    }

    /// The pod is to end because of what it does to the node.
    pub(crate) fn evict(&self, eviction: Eviction) {
        self.stop.cancel();
        self.letter().eviction.get_or_insert(eviction);
        self.news.notify_one();
    }

    /// Why the pod is put out, if it is.
    pub(crate) fn eviction(&self) -> Option<Eviction> {
        self.letter().eviction.clone()
    }

    /// Something happened around the pod.
    pub(crate) fn poke(&self) {
        self.news.notify_one();
    }

    /// Waits for any of the above.
    pub(crate) async fn changed(&self) {
        self.news.notified().await;
    }

    /// The pod's newest state.
    pub(crate) fn pod(&self) -> Arc<Pod> {
        self.letter().pod.clone()
    }

    /// Whether the pod is gone from the API.
    pub(crate) fn is_gone(&self) -> bool {
        self.letter().is_gone
    }

    fn letter(&self) -> MutexGuard<'_, Letter> {
        self.letter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
