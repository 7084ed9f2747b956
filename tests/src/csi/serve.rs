//! gRPC services on unix sockets.

use std::{convert::Infallible, path::Path, sync::Arc};

use anyhow::Result;
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::UnixListener;
use tonic::body::Body;
use tower::Service;

use crate::{
    api::{
        identity_server::IdentityServer, node_server::NodeServer,
        registration::registration_server::RegistrationServer,
    },
    node::Node,
    registration::Registration,
};

/// Listens in the place of whoever did before.
pub(crate) fn listen(socket: &Path) -> Result<UnixListener> {
    let _ = std::fs::remove_file(socket);
    Ok(UnixListener::bind(socket)?)
}

pub(crate) async fn driver(listener: UnixListener, node: Arc<Node>) -> Result<()> {
    let identity = IdentityServer::from_arc(node.clone());
    let node = NodeServer::from_arc(node);
    let both = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (mut identity, mut node) = (identity.clone(), node.clone());
        async move {
            match request.uri().path().starts_with("/csi.v1.Identity/") {
                true => identity.call(request).await,
                false => node.call(request).await,
            }
        }
    });
    serve(listener, both).await
}

pub(crate) async fn registration(listener: UnixListener, about: Registration) -> Result<()> {
    serve(listener, RegistrationServer::new(about)).await
}

async fn serve<S>(listener: UnixListener, service: S) -> Result<()>
where
    S: Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<Body>,
            Error = Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}
