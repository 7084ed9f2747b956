//! One informer per kind for a whole process.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{Api, Client};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Informer, Object, WatchConfig};

/// Makes each kind's cluster-wide [`Informer`] once, on first demand, and starts it at once, so
/// that all components of a process read from the same stores. Cheap to clone; when the last clone
/// goes, the informers stop.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    cancel: CancellationToken,
    informers: Mutex<Informers>,
    _guard: DropGuard,
}

#[derive(Default)]
struct Informers {
    by_type: HashMap<(TypeId, WatchConfig), Box<dyn Any + Send>>,
    tasks: JoinSet<()>,
}

impl Hub {
    /// A hub without informers. The client's identity needs list and watch on all that is asked of it.
    pub fn new(client: Client) -> Self {
        let cancel = CancellationToken::new();
        Self {
            shared: Arc::new(Shared {
                client,
                _guard: cancel.clone().drop_guard(),
                cancel,
                informers: Mutex::default(),
            }),
        }
    }

    /// The informer of a kind over all namespaces; the first call makes and starts it.
    ///
    /// # Panics
    /// When called for the first time for a type outside a Tokio runtime.
    pub fn informer<K: Object>(&self) -> Informer<K> {
        self.informer_with(WatchConfig::default())
    }

    /// The informer of the part of a kind that the configuration selects, shared by all who ask
    /// for the same part.
    ///
    /// # Panics
    /// When called for the first time for a type and part outside a Tokio runtime.
    pub fn informer_with<K: Object>(&self, config: WatchConfig) -> Informer<K> {
        let mut informers = self.informers();
        let id = (TypeId::of::<K>(), config);
        if let Some(known) = informers.by_type.get(&id) {
            let known: &Informer<K> = known.downcast_ref().expect("stored under its own type");
            return known.clone();
        }
        let api = Api::all(self.shared.client.clone());
        let informer = Informer::<K>::with_config(api, id.1.clone());
        informers.by_type.insert(id, Box::new(informer.clone()));
        let (running, cancel) = (informer.clone(), self.shared.cancel.clone());
        informers
            .tasks
            .spawn(async move { running.run(cancel).await });
        informer
    }

    /// Waits for the token, then stops all informers and returns when they have ended.
    /// (Informers run without this call, too; it ties their end to a token.)
    pub async fn run(&self, cancel: CancellationToken) {
        cancel.cancelled().await;
        self.shared.cancel.cancel();
        let mut tasks = std::mem::take(&mut self.informers().tasks);
        while tasks.join_next().await.is_some() {}
    }

    fn informers(&self) -> MutexGuard<'_, Informers> {
        self.shared
            .informers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
