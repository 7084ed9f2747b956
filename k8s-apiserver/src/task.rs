//! The tasks that outlive the request which started them: relays of upgraded connections, chiefly.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns tasks that end when the server stops, and waits for them.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Default for Tasks {
    /// Tasks that end when [`Tasks::stop`] is called.
    fn default() -> Self {
        Tasks::new(CancellationToken::new())
    }
}

impl Tasks {
    /// No tasks yet; all to come end at `stopping`.
    pub fn new(stopping: CancellationToken) -> Self {
        Tasks {
            tracker: TaskTracker::new(),
            stopping,
        }
    }

    /// Runs a task until it is done or the server stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tracker
            .spawn(async move { stopping.run_until_cancelled_owned(task).await });
    }

    /// Ends all tasks, and returns when they have ended.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Cancelled when the server stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }
}
