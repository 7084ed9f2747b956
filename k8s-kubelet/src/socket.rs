//! gRPC over unix sockets: how runtimes and drivers are called.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// A channel that connects when it is first used, and again whenever the other side restarts.
pub(crate) fn channel(socket: PathBuf) -> Channel {
    // The address is never dialled: the connector goes to the socket.
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    }))
}
