//! What a server has going on, and how it comes to an end.
//!
//! A server that stops in good order passes through stages: it is *leaving* (not ready any longer, but
//! serving, so that load balancers can notice), then *closed* (listeners close, watches end, late
//! requests are sent elsewhere, and what is being served finishes), then *stopping*: whatever still
//! runs is cut off. Cancelling the token of the last stage skips the others.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// Spawns tasks that end when the server stops, and waits for them; knows the requests and the
/// listeners that are there, and lets them finish.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    /// Requests and listeners: what is waited for before anything is cut off.
    unfinished: TaskTracker,
    leaving: CancellationToken,
    closed: CancellationToken,
    stopping: CancellationToken,
    /// Listeners that are about to close.
    retiring: Arc<AtomicUsize>,
}

/// A listener is about to close, so the server isn't ready; until this is dropped.
#[derive(Debug)]
pub(crate) struct Retiring(Arc<AtomicUsize>);

impl Default for Tasks {
    /// Tasks that end when [`Tasks::stop`] is called.
    fn default() -> Self {
        Tasks::new(CancellationToken::new())
    }
}

impl Tasks {
    /// No tasks yet; all to come end at `stopping`.
    pub fn new(stopping: CancellationToken) -> Self {
        let closed = stopping.child_token();
        Tasks {
            tracker: TaskTracker::new(),
            unfinished: TaskTracker::new(),
            leaving: closed.child_token(),
            closed,
            stopping,
            retiring: Arc::default(),
        }
    }

    /// Runs a task until it is done or the server stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tracker
            .spawn(async move { stopping.run_until_cancelled_owned(task).await });
    }

    /// Passes through all stages: stays in the first for `delay`, in the second for as long as
    /// something is unfinished, but not for longer than `grace`. Returns when all tasks have ended.
    pub async fn drain(&self, delay: Duration, grace: Duration) {
        self.leaving.cancel();
        // Nothing to wait for if somebody is in a greater hurry.
        self.closed.run_until_cancelled(sleep(delay)).await;
        self.closed.cancel();
        self.unfinished.close();
        let finished = timeout(grace, self.unfinished.wait());
        self.stopping.run_until_cancelled(finished).await;
        self.stop().await;
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

    /// Cancelled when the server is about to close.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Cancelled when the server takes no more requests.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Something that the server waits for in its second stage, until this is dropped.
    pub(crate) fn unfinished(&self) -> TaskTrackerToken {
        self.unfinished.token()
    }

    /// A listener begins to close.
    pub(crate) fn retire(&self) -> Retiring {
        self.retiring.fetch_add(1, Ordering::Relaxed);
        Retiring(self.retiring.clone())
    }

    /// Whether new requests should come here.
    pub(crate) fn is_staying(&self) -> bool {
        !self.leaving.is_cancelled() && self.retiring.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Retiring {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const DELAY: Duration = Duration::from_secs(5);
    const GRACE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn the_stages_follow_each_other() {
        let tasks = Tasks::default();
        let request = tasks.unfinished();
        let start = Instant::now();
        let (leaving, closed, ()) = futures::join!(
            async {
                tasks.leaving().cancelled().await;
                assert!(!tasks.is_staying());
                start.elapsed()
            },
            async {
                tasks.closed().cancelled().await;
                let after = start.elapsed();
                assert!(!tasks.stopping().is_cancelled());
                drop(request);
                after
            },
            tasks.drain(DELAY, GRACE),
        );
        assert_eq!((leaving, closed), (Duration::ZERO, DELAY));
        assert_eq!(start.elapsed(), DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_is_cut_off() {
        let tasks = Tasks::default();
        let _request = tasks.unfinished();
        tasks.spawn(std::future::pending());
        let start = Instant::now();
        tasks.drain(DELAY, GRACE).await;
        assert_eq!(start.elapsed(), DELAY + GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hurry_skips_the_stages() {
        let tasks = Tasks::default();
        let _request = tasks.unfinished();
        tasks.stopping().cancel();
        let start = Instant::now();
        tasks.drain(DELAY, GRACE).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_closing_listener_makes_the_server_unready() {
        let tasks = Tasks::default();
        let retiring = tasks.retire();
        assert!(!tasks.is_staying());
        drop(retiring);
        assert!(tasks.is_staying());
    }
}
