//! What can be set about a server, with Kubernetes' defaults.

use std::time::Duration;

use crate::{flow::Limits, layer::deadline::REQUEST_TIMEOUT};

/// How a server treats its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How much is served at once.
    pub limits: Limits,
    /// The longest that a request may take, watches and the like apart.
    pub request_timeout: Duration,
    /// How long a server that stops goes on as before, no longer ready, so that load balancers can
    /// notice: kube-apiserver's `--shutdown-delay-duration`.
    pub shutdown_delay: Duration,
    /// How long requests in flight may take to finish when the server stops.
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            limits: Limits::default(),
            request_timeout: REQUEST_TIMEOUT,
            shutdown_delay: Duration::ZERO,
            grace: Duration::from_secs(10),
        }
    }
}
