//! The seam to what the server can't answer itself: logs and streams of running containers.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use crate::{Request, Response};

/// Answers subresources of an object that are produced elsewhere: `pods/log`, `pods/exec`, `pods/attach`,
/// `pods/portforward`, `pods/proxy`, `nodes/proxy`, `services/proxy`.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Answers the request. The object was found, and the user may connect to it. An `Upgrade` in the request is the
    /// connector's to take.
    async fn connect(&self, request: Request, object: &Object, subresource: &str) -> Response;
}
