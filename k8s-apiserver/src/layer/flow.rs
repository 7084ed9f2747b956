//! How much is served at once, so that overload slows clients down instead of the server.
//!
//! Reading and changing requests have a lane each. A request that finds its lane full waits in line
//! for a while, as under Kubernetes' priority and fairness; when the line is full, or the wait is
//! over, it is told to come back: 429 with `Retry-After: 1`. Long-running requests are exempt: they
//! would fill the lanes forever.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{Handler, Step, request_info::RequestInfo};
use crate::{ApiError, Request, Response, User, user};

/// How much is served at once, and how long the rest waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Reading requests in flight.
    pub read_only: usize,
    /// Changing requests in flight.
    pub mutating: usize,
    /// Requests waiting, per lane.
    pub waiting: usize,
    /// How long one waits at most.
    pub patience: Duration,
}

/// Lets requests through as their lane has room.
#[derive(Debug)]
pub struct Flow {
    read_only: Lane,
    mutating: Lane,
    patience: Duration,
}

#[derive(Debug)]
struct Lane {
    slots: Semaphore,
    line: Semaphore,
}

impl Default for Limits {
    /// Kubernetes' own: 400 reading, 200 changing, and a quarter of the request's minute to wait.
    fn default() -> Self {
        Limits {
            read_only: 400,
            mutating: 200,
            waiting: 2000,
            patience: Duration::from_secs(15),
        }
    }
}

impl Flow {
    /// Two empty lanes.
    pub fn new(limits: &Limits) -> Self {
        let lane = |slots| Lane {
            slots: Semaphore::new(slots),
            line: Semaphore::new(limits.waiting),
        };
        Flow {
            read_only: lane(limits.read_only),
            mutating: lane(limits.mutating),
            patience: limits.patience,
        }
    }
}

impl Step for Flow {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        if info.is_long_running() || is_master(&request) {
            return Ok(next.run(request).await);
        }
        let lane = if info.is_read_only() {
            &self.read_only
        } else {
            &self.mutating
        };
        let _slot = lane.enter(self.patience).await?;
        Ok(next.run(request).await)
    }
}

impl Lane {
    async fn enter(&self, patience: Duration) -> Result<SemaphorePermit<'_>, ApiError> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Ok(slot);
        }
        let _place = self.line.try_acquire().map_err(|_| too_many())?;
        match timeout(patience, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(too_many()),
        }
    }
}

fn too_many() -> ApiError {
    ApiError::TooManyRequests {
        message: "too many requests, please try again later".to_owned(),
        retry_after: Duration::from_secs(1),
    }
}

/// The way in for whoever must repair an overloaded cluster.
fn is_master(request: &Request) -> bool {
    request
        .extensions()
        .get::<Arc<User>>()
        .is_some_and(|user| user.is_in(user::MASTERS))
}
