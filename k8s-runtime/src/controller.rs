//! From events to reconciliations: the loop that every controller is.
//!
//! Subscriptions turn changes into keys, the queue folds them, and for each key `reconcile` runs,
//! at most one at a time per key and at most `workers` at a time in all. What it returns decides
//! when the key is looked at again: an error brings it back after a growing delay, as does a panic.

use std::{collections::HashMap, fmt::Display, future::Future, pin::Pin, time::Duration};

use futures::{StreamExt, future::BoxFuture};
use tokio::task::{Id, JoinError, JoinSet};

use crate::{Context, Event, Informer, Key, Queue, Watched};

/// What a successful reconciliation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing, until something changes.
    Done,
    /// Another look after this long, even if nothing changes.
    After(Duration),
}

/// A controller in the making: add sources with [`on`](Self::on), then [`run`](Self::run) it.
pub struct Controller {
    name: &'static str,
    ctx: Context,
    queue: Queue<Key>,
    ready: Vec<BoxFuture<'static, ()>>,
    pumps: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Controller {
    /// A controller without sources. The name appears in logs.
    pub fn new(name: &'static str, ctx: Context) -> Self {
        Self {
            name,
            ctx,
            queue: Queue::new(),
            ready: Vec::new(),
            pumps: Vec::new(),
        }
    }

    /// Follows an informer: `keys` says which objects of the controller an event concerns.
    pub fn on<K: Watched>(
        mut self,
        informer: &Informer<K>,
        keys: impl Fn(&Event<K>) -> Vec<Key> + Send + 'static,
    ) -> Self {
        let mut events = informer.subscribe();
        let queue = self.queue.clone();
        self.pumps.push(Box::pin(async move {
            while let Some(event) = events.next().await {
                for key in keys(&event) {
                    queue.add(key);
                }
            }
        }));
        self.reads(informer)
    }

    /// Follows an informer of the controller's own kind: each event concerns its object.
    pub fn owns_keys<K: Watched>(self, informer: &Informer<K>) -> Self {
        self.on(informer, |event| vec![Key::of(&**event.object())])
    }

    /// Waits for an informer before the first reconciliation, without following it.
    pub fn reads<K: Watched>(mut self, informer: &Informer<K>) -> Self {
        let informer = informer.clone();
        self.ready
            .push(Box::pin(async move { informer.synced().await }));
        self
    }

    /// The queue, for sources of another kind (timers, channels).
    pub fn queue(&self) -> Queue<Key> {
        self.queue.clone()
    }

    /// Reconciles until the context is cancelled; returns when everything it started has ended.
    pub async fn run<F, Fut, E>(self, workers: usize, reconcile: F)
    where
        F: Fn(Key) -> Fut + Send,
        Fut: Future<Output = Result<Action, E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let Self {
            name,
            ctx,
            queue,
            ready,
            pumps,
        } = self;
        let cancel = ctx.cancel.clone();
        let body = async {
            futures::future::join_all(ready).await;
            tracing::debug!(controller = name, "caches are filled, starting");
            let mut sources = JoinSet::new();
            for pump in pumps {
                sources.spawn(pump);
            }
            dispatch(name, &queue, workers, reconcile).await;
        };
        // Dropping the body aborts the pumps and the reconciliations under way.
        cancel.run_until_cancelled(body).await;
    }
}

async fn dispatch<F, Fut, E>(name: &'static str, queue: &Queue<Key>, workers: usize, reconcile: F)
where
    F: Fn(Key) -> Fut,
    Fut: Future<Output = Result<Action, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut keys: HashMap<Id, Key> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next_with_id() => {
                let (id, outcome) = split(ended);
                if let Some(key) = keys.remove(&id) {
                    settle(name, queue, key, outcome);
                }
            }
            next = queue.next(), if keys.len() < workers.max(1) => {
                let Some(key) = next else { break };
                let task = running.spawn(reconcile(key.clone()));
                keys.insert(task.id(), key);
            }
        }
    }
}

type Ended<E> = Result<(Id, Result<Action, E>), JoinError>;

/// `None` stands for a panic.
fn split<E>(ended: Ended<E>) -> (Id, Option<Result<Action, E>>) {
    match ended {
        Ok((id, outcome)) => (id, Some(outcome)),
        Err(error) => (error.id(), None),
    }
}

fn settle<E: Display>(
    name: &str,
    queue: &Queue<Key>,
    key: Key,
    outcome: Option<Result<Action, E>>,
) {
    match outcome {
        Some(Ok(action)) => {
            queue.forget(&key);
            if let Action::After(delay) = action {
                queue.add_after(key.clone(), delay);
            }
        }
        Some(Err(error)) => {
            let retries = queue.retries(&key);
            // The first failures are mostly lost races, which the next round settles.
            if retries < 5 {
                tracing::debug!(controller = name, %key, retries, %error, "will retry");
            } else {
                tracing::warn!(controller = name, %key, retries, %error, "keeps failing");
            }
            queue.add_rate_limited(key.clone());
        }
        None => {
            tracing::error!(controller = name, %key, "reconcile panicked");
            queue.add_rate_limited(key.clone());
        }
    }
    queue.done(&key);
}
