//! A stand-in for the API in unit tests: objects of any kind in a map, served over the paths of the
//! Kubernetes API to a `kube::Client`, in process.
//!
//! It does what informers and reconcilers notice: revisions, conflicts, uids, generations, status
//! subresources, finalizers, watches that resume and expire. It knows no kind: nothing is defaulted,
//! validated, selected or authorised. `k8s-testkit` has a real API server for tests that need one.

mod discovery;
mod object;
mod serve;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Client;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use state::State;

/// The stand-in. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct FakeApi {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    revision: watch::Sender<u64>,
}

impl Default for FakeApi {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeApi {
    /// An API without objects. Its time starts at 2026-01-01 and moves with tokio's.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::new()),
                revision: watch::Sender::new(0),
            }),
        }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request| {
            let api = api.clone();
            async move { Ok::<_, std::convert::Infallible>(serve::serve(&api, request).await) }
        });
        Client::new(service, "default")
    }

    /// Creates an object under a collection's path (`/api/v1/namespaces/default/pods`).
    ///
    /// # Panics
    /// When the object can't be serialised or exists.
    pub fn put_new(&self, collection: &str, object: &impl Serialize) -> Value {
        let value = serde_json::to_value(object).expect("test objects serialise");
        let path = object::Path::parse(collection).expect("a collection's path");
        let created = self.change(|state| state.create(&path, value));
        created.unwrap_or_else(|status| panic!("create {collection}: {status}"))
    }

    /// Forgets the history: watches end with `410 Expired`, and so do attempts to resume.
    pub fn compact(&self) {
        self.change(State::compact);
    }

    /// Lets the next `count` requests fail with `500`.
    pub fn fail_next(&self, count: usize) {
        self.state().failures = count;
    }

    /// The requests served so far, as `GET /api/v1/pods`, without queries.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        self.shared.revision.send_replace(state.revision);
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
