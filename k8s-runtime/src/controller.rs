//! From events to reconciliations: the loop that every controller is.
//!
//! Subscriptions turn changes into keys, the queue folds them, and for each key `reconcile` runs,
//! at most one at a time per key and at most `workers` at a time in all. What it returns decides
//! when the key is looked at again: an error brings it back after a growing delay, as does a panic.

use std::{collections::HashMap, fmt::Display, future::Future, hash::Hash, time::Duration};

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
    pumps: Vec<BoxFuture<'static, ()>>,
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
            work(name, &queue, workers, reconcile).await;
        };
        // Dropping the body aborts the pumps and the reconciliations under way.
        cancel.run_until_cancelled(body).await;
    }
}

/// Takes items from a queue and processes up to `workers` of them side by side, until the queue is
/// shut down: what a [`Controller`] does with keys, for loops whose items are something else.
/// Dropping the future aborts what is under way.
pub async fn work<T, F, Fut, E>(name: &'static str, queue: &Queue<T>, workers: usize, process: F)
where
    T: Clone + Eq + Hash + Display,
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<Action, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut items: HashMap<Id, T> = HashMap::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next_with_id() => {
                let (id, outcome) = split(ended);
                if let Some(item) = items.remove(&id) {
                    settle(name, queue, item, outcome);
                }
            }
            next = queue.next(), if items.len() < workers.max(1) => {
                let Some(item) = next else { break };
                let task = running.spawn(process(item.clone()));
                items.insert(task.id(), item);
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

fn settle<T, E>(name: &str, queue: &Queue<T>, item: T, outcome: Option<Result<Action, E>>)
where
    T: Clone + Eq + Hash + Display,
    E: Display,
{
    match outcome {
        Some(Ok(action)) => {
            queue.forget(&item);
            if let Action::After(delay) = action {
                queue.add_after(item.clone(), delay);
            }
        }
        Some(Err(error)) => {
            let retries = queue.retries(&item);
            // The first failures are mostly lost races, which the next round settles.
            if retries < 5 {
                tracing::debug!(controller = name, %item, retries, %error, "will retry");
            } else {
                tracing::warn!(controller = name, %item, retries, %error, "keeps failing");
            }
            queue.add_rate_limited(item.clone());
        }
        None => {
            tracing::error!(controller = name, %item, "reconcile panicked");
            queue.add_rate_limited(item.clone());
        }
    }
    queue.done(&item);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::testing::FakeApi;

    const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

    /// Runs a controller of ConfigMaps for `seconds`; tells when each attempt was made.
    async fn attempts<F>(seconds: u64, answer: F) -> Vec<u128>
    where
        F: Fn(usize) -> Result<Action, String> + Send + Sync + Clone + 'static,
    {
        let api = FakeApi::new();
        api.put_new(COLLECTION, &json!({"metadata": {"name": "a"}}));
        let ctx = Context::new(api.client());
        let times = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let seen = times.clone();
        let informer = ctx.hub.informer::<ConfigMap>();
        let running = Controller::new("test", ctx.clone())
            .owns_keys(&informer)
            .run(2, move |key| {
                assert_eq!(key, Key::new("default", "a"));
                let mut seen = seen.lock().unwrap();
                seen.push(start.elapsed().as_millis());
                let (answer, attempt) = (answer.clone(), seen.len());
                async move { answer(attempt) }
            });
        let timer = async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            ctx.cancel.cancel();
        };
        tokio::join!(running, timer);
        let times = times.lock().unwrap().clone();
        let first = times[0];
        times.into_iter().map(|time| time - first).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_brings_the_key_back_after_growing_delays() {
        let times = attempts(10, |attempt| match attempt {
            1..4 => Err("not yet".into()),
            _ => Ok(Action::Done),
        });
        assert_eq!(times.await, [0, 5, 15, 35]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_an_error_of_that_key_alone() {
        let times = attempts(10, |attempt| {
            assert!(attempt > 1, "a panic in the test's reconciler");
            Ok(Action::Done)
        });
        assert_eq!(times.await, [0, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_can_ask_to_be_seen_again() {
        let times = attempts(10, |attempt| match attempt {
            1 => Ok(Action::After(Duration::from_secs(3))),
            _ => Ok(Action::Done),
        });
        assert_eq!(times.await, [0, 3000]);
    }
}
