//! The pod lifecycle event generator: notices what changed in the runtime.
//!
//! It holds the one cache of what the runtime has, and is its only writer. It looks at everything at
//! intervals, comparing lists only, and at one pod when the runtime says that something happened
//! there or when a worker has just acted on it. Completing a record (times, exit code, addresses)
//! costs a call each and happens once per change.

mod view;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

pub use view::PodView;

use crate::{
    cri::{Change, Changes, Container, ContainerState, Runtime, RuntimeError, Sandbox},
    event::Event,
};

/// How often everything is looked at when the runtime doesn't tell what happens.
const POLL: Duration = Duration::from_secs(1);
/// How often when it does: changes that got lost are found then.
const SWEEP: Duration = Duration::from_secs(10);

/// A runtime may tell that a container ended before its own records, or ours, say so: then they are
/// looked at again after this time, doubled each time up to the other.
const FIRST_DOUBT: Duration = Duration::from_millis(5);
const LAST_DOUBT: Duration = Duration::from_millis(640);

/// The cache of what the runtime has. Cheap to clone; all clones are one cache.
#[derive(Clone)]
pub struct Pleg {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Arc<dyn Runtime>,
    /// Numbers looks at the runtime by when they began, so that an older one, ending later, doesn't
    /// overwrite what a newer one found.
    looks: AtomicU64,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    look: u64,
    view: Arc<PodView>,
}

impl Pleg {
    /// An empty cache over a runtime.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            shared: Arc::new(Shared {
                runtime,
                looks: AtomicU64::new(1),
                known: Mutex::default(),
            }),
        }
    }

    /// What was last seen of a pod.
    pub fn view(&self, uid: &str) -> Arc<PodView> {
        self.known()
            .get(uid)
            .map(|known| known.view.clone())
            .unwrap_or_default()
    }

    /// The pods that the runtime has something of.
    pub fn uids(&self) -> Vec<String> {
        self.known().keys().cloned().collect()
    }

    /// Looks at one pod now.
    pub async fn refresh(&self, uid: &str) -> Result<Arc<PodView>, RuntimeError> {
        let look = self.begin();
        let runtime = &self.shared.runtime;
        let (sandboxes, containers) =
            tokio::try_join!(runtime.sandboxes(Some(uid)), runtime.containers(Some(uid)))?;
        let view = self.complete(&self.view(uid), sandboxes, containers).await;
        Ok(self.store(look, uid, view).0)
    }

    /// Looks at everything now; returns the pods where something changed.
    pub async fn relist(&self) -> Result<Vec<String>, RuntimeError> {
        let look = self.begin();
        let runtime = &self.shared.runtime;
        let (sandboxes, containers) =
            tokio::try_join!(runtime.sandboxes(None), runtime.containers(None))?;
        let mut pods: BTreeMap<String, (Vec<Sandbox>, Vec<Container>)> = BTreeMap::new();
        for sandbox in sandboxes
            .into_iter()
            .filter(|sandbox| !sandbox.pod_uid.is_empty())
        {
            pods.entry(sandbox.pod_uid.clone())
                .or_default()
                .0
                .push(sandbox);
        }
        for container in containers
            .into_iter()
            .filter(|container| !container.pod_uid.is_empty())
        {
            pods.entry(container.pod_uid.clone())
                .or_default()
                .1
                .push(container);
        }
        for uid in self.uids() {
            pods.entry(uid).or_default();
        }
        let mut changed = Vec::new();
        for (uid, (sandboxes, containers)) in pods {
            let known = self.view(&uid);
            if is_same(&known, &sandboxes, &containers) {
                continue;
            }
            let view = self.complete(&known, sandboxes, containers).await;
            if self.store(look, &uid, view).1 {
                changed.push(uid);
            }
        }
        Ok(changed)
    }

    /// Reports changed pods as [`Event::Runtime`] until cancelled.
    pub async fn run(&self, events: mpsc::Sender<Event>, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.watch(events)).await;
    }

    async fn watch(&self, events: mpsc::Sender<Event>) {
        let mut changes: Option<Changes> = None;
        let mut next_sweep = Instant::now();
        let mut doubts = FuturesUnordered::new();
        loop {
            let (change, wait) = tokio::select! {
                change = next(&mut changes) => (change, FIRST_DOUBT),
                Some((change, wait)) = doubts.next() => (Some(change), wait),
                () = tokio::time::sleep_until(next_sweep) => (None, FIRST_DOUBT),
            };
            let uids = match change {
                Some(change) => {
                    let (uid, is_doubtful) = self.check(&change).await;
                    if is_doubtful && wait <= LAST_DOUBT {
                        doubts.push(async move {
                            tokio::time::sleep(wait).await;
                            (change, wait * 2)
                        });
                    }
                    Ok(uid.into_iter().collect())
                }
                None => {
                    if changes.is_none() {
                        changes = self.shared.runtime.changes().await;
                    }
                    let interval = if changes.is_some() { SWEEP } else { POLL };
                    next_sweep = Instant::now() + interval;
                    self.relist().await
                }
            };
            match uids {
                Ok(uids) => {
                    for uid in uids {
                        if events.send(Event::Runtime { uid }).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "the runtime can't be looked at"),
            }
        }
    }

    /// Looks at the pod in which something changed; says which it is, and whether what was found
    /// falls short of what was told.
    async fn check(&self, change: &Change) -> (Option<String>, bool) {
        // A container that ends at once may do so before anybody has seen it.
        let Some(uid) = self.pod_of(change) else {
            return (None, true);
        };
        match self.refresh(&uid).await {
            Ok(view) => (Some(uid), runs_on(&view, change)),
            Err(error) => {
                tracing::debug!(%error, "a pod can't be looked at");
                (None, true)
            }
        }
    }

    fn pod_of(&self, change: &Change) -> Option<String> {
        let id = match change {
            Change::Pod(uid) => return Some(uid.clone()),
            Change::Container(id) => id,
        };
        let known = self.known();
        let pod = known.iter().find(|(_, known)| {
            known.view.container(id).is_some()
                || known.view.sandboxes.iter().any(|sandbox| sandbox.id == *id)
        });
        pod.map(|(uid, _)| uid.clone())
    }

    fn begin(&self) -> u64 {
        self.shared.looks.fetch_add(1, Ordering::Relaxed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.shared
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills in what lists leave out, reusing what is known of records that haven't changed.
    async fn complete(
        &self,
        known: &PodView,
        mut sandboxes: Vec<Sandbox>,
        mut containers: Vec<Container>,
    ) -> PodView {
        let runtime = &self.shared.runtime;
        for sandbox in &mut sandboxes {
            let before = known
                .sandboxes
                .iter()
                .find(|before| before.id == sandbox.id);
            match before.filter(|before| !before.ips.is_empty()) {
                Some(before) => sandbox.ips.clone_from(&before.ips),
                None if sandbox.is_ready => {
                    sandbox.ips = runtime.sandbox_ips(&sandbox.id).await.unwrap_or_default();
                }
                None => {}
            }
        }
        let mut gone = HashSet::new();
        for container in &mut containers {
            match known.container(&container.id) {
                Some(before) if before.state == container.state => container.clone_from(before),
                _ => match runtime.complete(container).await {
                    Ok(()) => {}
                    Err(error) if error.is_not_found() => {
                        gone.insert(container.id.clone());
                    }
                    Err(error) => tracing::debug!(container = container.id, %error, "no status"),
                },
            }
        }
        containers.retain(|container| !gone.contains(&container.id));
        PodView::new(sandboxes, containers)
    }

    /// Stores a view unless a newer look has been stored; returns what is stored now, and whether
    /// that differs from before.
    fn store(&self, look: u64, uid: &str, view: PodView) -> (Arc<PodView>, bool) {
        let mut known = self.known();
        let before = known.get(uid);
        if let Some(newer) = before.filter(|before| before.look > look) {
            return (newer.view.clone(), false);
        }
        let is_changed = before.map_or(!view.is_empty(), |before| *before.view != view);
        if view.is_empty() {
            known.remove(uid);
            return (Arc::default(), is_changed);
        }
        let view = Arc::new(view);
        let entry = Known {
            look,
            view: view.clone(),
        };
        known.insert(uid.to_owned(), entry);
        (view, is_changed)
    }
}

/// The runtime's next word; never, when it doesn't speak. A stream that ends is dropped.
async fn next(changes: &mut Option<Changes>) -> Option<Change> {
    let Some(stream) = changes else {
        return std::future::pending().await;
    };
    let change = stream.next().await;
    if change.is_none() {
        *changes = None;
    }
    change
}

/// Whether a container about which there was news still shows as running.
fn runs_on(view: &PodView, change: &Change) -> bool {
    let Change::Container(id) = change else {
        return false;
    };
    let container = view.container(id);
    container.is_some_and(|container| container.state == ContainerState::Running)
        || view
            .sandboxes
            .iter()
            .any(|sandbox| sandbox.id == *id && sandbox.is_ready)
}

/// Whether lists show the same sandboxes and containers in the same states.
fn is_same(known: &PodView, sandboxes: &[Sandbox], containers: &[Container]) -> bool {
    known.sandboxes.len() == sandboxes.len()
        && known.containers.len() == containers.len()
        && sandboxes.iter().all(|sandbox| {
            let mut before = known.sandboxes.iter();
            before.any(|before| before.id == sandbox.id && before.is_ready == sandbox.is_ready)
        })
        && containers.iter().all(|container| {
            let before = known.container(&container.id);
            before.is_some_and(|before| before.state == container.state)
        })
}
