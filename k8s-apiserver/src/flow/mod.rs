//! API Priority and Fairness (KEP-1040): whose requests are served first when there are more than
//! the server can serve at once.
//!
//! A FlowSchema says which flow a request belongs to ([`config`], [`rule`]); its priority level has
//! seats, in proportion to its shares ([`seat`]), which levels lend each other as demand goes
//! ([`demand`]). In a level that queues, a flow is dealt a hand of queues ([`shard`]) and the queues
//! take turns fairly ([`queue_set`]). A request takes as many seats as it costs ([`estimate`]). All of that is
//! pure; [`FlowControl`] puts locks and waiting round it, [`follow`] keeps it true to the objects.

mod backoff;
mod config;
mod control;
mod demand;
mod dump;
mod estimate;
mod follow;
mod metric;
mod queue_set;
mod rule;
mod seat;
mod shard;
#[cfg(test)]
pub(crate) mod testing;
mod work;

pub use control::{FlowControl, Limits};
pub(crate) use dump::Dumps;
pub(crate) use estimate::{Census, Stock};
pub(crate) use follow::Follower;
#[cfg(test)]
pub(crate) use follow::configure;

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};

use crate::{RequestInfo, Response, User, body};

/// What classification goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest<'a> {
    /// Who asks.
    pub(crate) user: &'a User,
    /// For what.
    pub(crate) info: &'a RequestInfo,
}

/// Sends a request away, for so long at least: 429 in plain text, as Kubernetes answers in front of
/// its handlers.
pub(crate) fn too_many(text: &'static str, retry_after: Duration) -> Response {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::RETRY_AFTER, retry_after.as_secs().into());
    response
}
