//! Keys that go by themselves: the writer wakes for them, so there is one sweeper and no second thread.
//!
//! Deadlines are wall-clock times in the log, beside the puts that set them. They survive a restart,
//! and what became due meanwhile goes right after it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::writer::Request;
use crate::version::deadline::{Deadlines, Moment};

/// Deadlines nearer to each other than this are swept together; after a sweep that failed, because
/// the disk is full, this is when the next one is tried.
const GRAIN: Duration = Duration::from_millis(200);

/// However far the next deadline is, the wall clock may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// Milliseconds since 1970.
pub(super) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        Moment::try_from(since.as_millis()).unwrap_or(Moment::MAX)
    })
}

/// What the writer waits for besides requests.
pub(super) struct Expiry {
    pub(super) deadlines: Deadlines,
    /// Made for the first deadline: it can wait with a limit.
    timer: Option<Runtime>,
}

impl Expiry {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Expiry {
            deadlines,
            timer: None,
        }
    }

    /// Waits for requests, or for a deadline, whose deletion it then adds. False when all senders
    /// are gone.
    pub(super) fn receive(
        &mut self,
        requests: &mut mpsc::Receiver<Request>,
        into: &mut Vec<Request>,
        limit: usize,
    ) -> bool {
        while into.is_empty() {
            let received = match self.deadlines.next() {
                None => Some(requests.blocking_recv_many(into, limit)),
                Some(next) => {
                    let wait = Duration::from_millis(next.saturating_sub(now())).clamp(GRAIN, NAP);
                    let receive =
                        async { timeout(wait, requests.recv_many(into, limit)).await.ok() };
                    self.timer().block_on(receive)
                }
            };
            if received == Some(0) {
                return false;
            }
            // In front: whatever else is asked for was asked when that time was over.
            into.splice(..0, self.due());
        }
        true
    }

    /// The request that removes what is due. Nobody waits for its answer.
    fn due(&self) -> Option<Request> {
        let (answer, _) = oneshot::channel();
        let txn = self.deadlines.due(now())?;
        Some(Request::Commit(txn, answer))
    }

    fn timer(&mut self) -> &Runtime {
        self.timer.get_or_insert_with(|| {
            let built = Builder::new_current_thread().enable_time().build();
            built.expect("a runtime without I/O needs nothing from the system")
        })
    }
}
