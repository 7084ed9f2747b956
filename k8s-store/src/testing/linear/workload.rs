//! Clients that get into one another's way, on few keys.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{self, JoinSet};

use super::{Guard, History, Recorder};
use crate::{Store, TxnOutcome, testing::Dice};

/// How many clients do how much, and in which way.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Clients at the same time.
    pub clients: usize,
    /// Keys that they share.
    pub keys: usize,
    /// What each of them does, one after another.
    pub steps: usize,
    /// Chooses what they do.
    pub seed: u64,
}

impl Default for Workload {
    fn default() -> Self {
        Workload {
            clients: 8,
            keys: 3,
            steps: 60,
            seed: 1,
        }
    }
}

impl Workload {
    /// Runs against an empty store. With several handles to it, such as two servers of one etcd,
    /// the clients are spread over them. Errors are part of the history, not the end of it.
    pub async fn record(self, handles: &[Arc<dyn Store>]) -> History {
        let recorder = Arc::new(Recorder::default());
        let mut clients = JoinSet::new();
        for (client, store) in (0..self.clients).zip(handles.iter().cycle()) {
            clients.spawn(self.client(client, Arc::clone(store), Arc::clone(&recorder)));
        }
        clients.join_all().await;
        Arc::into_inner(recorder)
            .expect("all clients have ended")
            .history()
    }

    async fn client(self, client: usize, store: Arc<dyn Store>, recorder: Arc<Recorder>) {
        let mut dice = Dice::new(self.seed ^ (client as u64) << 32);
        // What the client believes of each key: often outdated, so that guards fail.
        let mut known = vec![None; self.keys];
        for step in 0..self.steps {
            let number = dice.below(self.keys);
            let key = Bytes::from(format!("key/{number}"));
            let choice = dice.below(10);
            if choice < 4 {
                if let Ok(found) = recorder.get(&*store, &key).await {
                    known[number] = found.map(|(_, at)| at);
                }
            } else {
                let guard = known[number].map_or(Guard::Absent, Guard::Modified);
                let value = (choice != 9).then(|| Bytes::from(format!("{client}.{step}")));
                let guard = (choice != 8).then_some(guard);
                match recorder.write(&*store, &key, guard, value.clone()).await {
                    Ok(TxnOutcome::Committed(at)) => known[number] = value.map(|_| at),
                    Ok(TxnOutcome::Conflict(found)) => {
                        known[number] = found.into_iter().next().flatten().map(|kv| kv.modified);
                    }
                    Err(_) => known[number] = None,
                }
            }
            task::yield_now().await;
        }
    }
}

/// Every answer to many clients at once fits one order of what they asked.
pub async fn histories_are_linearizable(store: Arc<dyn Store>) {
    let history = Workload::default().record(&[store]).await;
    if let Err(violation) = history.check() {
        panic!("{violation}");
    }
}
