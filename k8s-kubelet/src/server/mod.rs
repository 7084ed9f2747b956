//! The agent's HTTPS server: logs, exec, attach, port-forward and figures of usage, for the API server first of all.
//!
//! One server may serve the pods of many nodes: paths name the pod, and the [`Directory`] knows whose
//! it is.

mod access;
pub mod channel;
mod dial;
mod directory;
mod figure;
mod follow;
pub mod log;
mod logs;
mod route;
mod session;
mod splice;
mod streaming;
mod tls;
mod tunnel;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
pub use access::Access;
pub use directory::Directory;
pub use tls::ServerTls;

/// A bound server. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    access: Arc<Access>,
    directory: Directory,
    /// Cancelled with the server: ends upgraded connections.
    sessions: CancellationToken,
}

impl Server {
    /// Binds an address; port 0 takes any.
    pub async fn bind(address: SocketAddr, tls: &ServerTls, access: Access) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self {
            shared: Arc::new(Shared {
                listener,
                address,
                acceptor: tls.acceptor()?,
                access: Arc::new(access),
                directory: Directory::default(),
                sessions: CancellationToken::new(),
            }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The pods that it serves.
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Serves until cancelled; then cuts all connections.
    pub async fn run(&self, cancel: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => return self.shared.sessions.cancel(),
                accepted = self.shared.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let shared = self.shared.clone();
                    connections.spawn(async move {
                        if let Err(error) = shared.serve(stream).await {
                            tracing::debug!(error, "connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Shared {
    async fn serve(&self, stream: tokio::net::TcpStream) -> Result<(), String> {
        let _ = stream.set_nodelay(true);
        let stream = self
            .acceptor
            .accept(stream)
            .await
            .map_err(|error| error.to_string())?;
        let caller = Arc::new(route::Caller {
            certificate: tls::identity(stream.get_ref().1),
            access: self.access.clone(),
            sessions: self.sessions.clone(),
        });
        let directory = self.directory.clone();
        let service = hyper::service::service_fn(move |request| {
            let (directory, caller) = (directory.clone(), caller.clone());
            async move { Ok::<_, Infallible>(route::handle(&directory, &caller, request).await) }
        });
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        connection.await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
