//! Pods that a Permit plugin holds back, and how they get on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_runtime::Key;
use tokio::sync::oneshot;

/// The pods that wait for permission. Cheap to clone: hand it to the plugin that decides.
#[derive(Clone, Default)]
pub struct WaitingPods {
    pods: Arc<Mutex<HashMap<Key, Waiting>>>,
}

/// Where the answer goes.
type Waiting = oneshot::Sender<Result<(), String>>;

impl WaitingPods {
    /// Lets a pod go on. Says whether it was waiting.
    pub fn allow(&self, pod: &Key) -> bool {
        self.answer(pod, Ok(()))
    }

    /// Sends a pod back to the queue.
    pub fn reject(&self, pod: &Key, reason: impl Into<String>) -> bool {
        self.answer(pod, Err(reason.into()))
    }

    /// The pods that wait now, in order.
    pub fn list(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.pods().keys().cloned().collect();
        keys.sort();
        keys
    }

    /// Enters a pod into the list at once; the future ends with the answer, or when time is over.
    pub(crate) fn wait(
        &self,
        pod: &Key,
        limit: Duration,
    ) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.pods().insert(pod.clone(), answer);
        let (waiting, pod) = (self.clone(), pod.clone());
        async move {
            match tokio::time::timeout(limit, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err("superseded while waiting".to_owned()),
                Err(_) => {
                    waiting.pods().remove(&pod);
                    Err(format!("timed out waiting for permission after {limit:?}"))
                }
            }
        }
    }

    fn answer(&self, pod: &Key, answer: Result<(), String>) -> bool {
        let waiting = self.pods().remove(pod);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
