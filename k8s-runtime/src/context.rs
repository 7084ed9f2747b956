//! What every component is handed at its start.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{Clock, Hub, SystemClock};

/// A component's identity, its view of the cluster, its clock, and the token that stops it.
///
/// Writes go through `client`, which carries the component's own identity; reads come from `hub`,
/// which several components of one process may share.
#[derive(Clone)]
pub struct Context {
    /// The API, as this component.
    pub client: kube::Client,
    /// Shared stores to read from.
    pub hub: Hub,
    /// Cancelled when the component shall stop.
    pub cancel: CancellationToken,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

impl Context {
    /// A context with its own hub on the same client and the system's clock.
    pub fn new(client: kube::Client) -> Self {
        Self {
            hub: Hub::new(client.clone()),
            client,
            cancel: CancellationToken::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The same context under another identity: another client, the same stores, clock and token.
    pub fn with_client(&self, client: kube::Client) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }
}
