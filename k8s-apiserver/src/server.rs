//! The server: one stack of layers and handlers, reached over TLS or from within the process.

use std::{convert::Infallible, io, pin::pin, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    Body, Response, User,
    authn::x509::Peer,
    client,
    layer::{Handler, audit::Origin, deadline::Closing},
    stack::{Layers, Stack},
    task::Tasks,
    tls::ServerTls,
};

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take for a request's head, and keep an idle connection.
const HEADER: Duration = Duration::from_secs(90);
/// How often a connection without traffic is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests that one HTTP/2 connection carries at once.
const STREAMS: u32 = 250;
/// What one request may send ahead over HTTP/2, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// An API server: layers in front of handlers. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct ApiServer {
    stack: Stack,
    tasks: Tasks,
    shutdown_delay: Duration,
    grace: Duration,
}

impl ApiServer {
    /// Puts the layers in front of the handlers. It runs until it is stopped.
    pub fn new(layers: Layers, handler: impl Handler) -> Self {
        let tasks = layers.tasks.clone();
        let (shutdown_delay, grace) = (layers.config.shutdown_delay, layers.config.grace);
        ApiServer {
            stack: layers.in_front_of(handler),
            tasks,
            shutdown_delay,
            grace,
        }
    }

    /// The server as a tower service. What it receives without credentials in headers is anonymous.
    pub fn service(&self) -> Stack {
        self.stack.clone()
    }

    /// A client in this process that acts as a user: no sockets, but the same layers, authorization
    /// included.
    pub fn client(&self, user: User) -> kube::Client {
        client::client(self.stack.clone(), user, None, self.tasks.clone())
    }

    /// The same, for a program with a name: what it writes is managed, logged and counted under that, as that of a
    /// program of its own would be by its user agent.
    ///
    /// # Panics
    /// If the name has other characters than a header may have.
    pub fn client_of(&self, program: &'static str, user: User) -> kube::Client {
        let program = HeaderValue::from_static(program);
        client::client(self.stack.clone(), user, Some(program), self.tasks.clone())
    }

    /// Serves HTTPS until cancelled, or until the server stops. Then it is no longer ready, goes on
    /// for [`shutdown_delay`](crate::config::Config::shutdown_delay), closes the listener, ends watches
    /// and lets other requests finish within their [grace](crate::config::Config::grace).
    pub async fn serve(&self, listener: TcpListener, tls: ServerTls, cancel: CancellationToken) {
        let _unfinished = self.tasks.unfinished();
        let closing = self.tasks.closed().child_token();
        let connections = Connections {
            stack: self.stack.clone(),
            acceptor: TlsAcceptor::from(tls.config.clone()),
            tls,
            http: http(),
            closing: closing.clone(),
            grace: self.grace,
        };
        let mut open = JoinSet::new();
        let leaving = async {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.tasks.leaving().cancelled() => {}
            }
        };
        connections.accept(&listener, &mut open, leaving).await;
        let _retiring = self.tasks.retire();
        let over = closing.run_until_cancelled(sleep(self.shutdown_delay));
        let over = over.map(drop);
        connections.accept(&listener, &mut open, over).await;
        drop(listener);
        closing.cancel();
        // Each connection bounds its own farewell.
        while open.join_next().await.is_some() {}
    }

    /// Stops the server: it is no longer ready, after
    /// [`shutdown_delay`](crate::config::Config::shutdown_delay) listeners close and watches end, and
    /// what else is being served finishes within its grace. Returns when everything has ended.
    pub async fn stop(&self) {
        self.tasks.drain(self.shutdown_delay, self.grace).await;
    }
}

/// What all connections of one listener share.
#[derive(Clone)]
struct Connections {
    stack: Stack,
    acceptor: TlsAcceptor,
    tls: ServerTls,
    http: auto::Builder<TokioExecutor>,
    closing: CancellationToken,
    grace: Duration,
}

impl Connections {
    /// Serves whoever connects, until something else is over.
    async fn accept(
        &self,
        listener: &TcpListener,
        open: &mut JoinSet<()>,
        until: impl Future<Output = ()>,
    ) {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                biased;
                () = &mut until => return,
                Some(_) = open.join_next(), if !open.is_empty() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(open.spawn(self.clone().serve(stream))),
                    Err(error) => {
                        // Out of file descriptors, most likely: those that are open will give some
                        // back.
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    /// One connection, from its handshake to its end.
    async fn serve(self, stream: TcpStream) {
        if let Err(error) = self.try_serve(stream).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn try_serve(self, stream: TcpStream) -> Result<(), crate::BoxError> {
        stream.set_nodelay(true)?;
        keep_alive(&stream)?;
        let origin = Origin(stream.peer_addr()?);
        let handshake = timeout(HANDSHAKE, self.acceptor.accept(stream));
        let stream = match self.closing.run_until_cancelled(handshake).await {
            None => return Ok(()),
            Some(shaken) => shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??,
        };
        let chain = stream.get_ref().1.peer_certificates();
        let peer = chain.map(|chain| Peer::verify(chain, &*self.tls.clients));
        let Connections {
            stack,
            http,
            closing,
            grace,
            ..
        } = self;

        let heard = CancellationToken::new();
        let conversation = Conversation {
            stack,
            peer,
            origin,
            closing: Closing(closing.clone()),
            heard: heard.clone(),
        };
        let mut connection =
            pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), conversation));
        // Later requests have their own time; who never asks for anything goes.
        let silence = async {
            if timeout(HEADER, heard.cancelled()).await.is_ok() {
                std::future::pending().await
            }
        };
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = silence => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        timeout(grace, connection).await?
    }
}

/// The requests of one connection, each marked with what is known of its other end.
struct Conversation {
    stack: Stack,
    peer: Option<Peer>,
    origin: Origin,
    closing: Closing,
    /// Cancelled by the first request.
    heard: CancellationToken,
}

impl Service<http::Request<Incoming>> for Conversation {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        self.heard.cancel();
        let mut request = request.map(|body| Body::new(body.map_err(Into::into)));
        request.extensions_mut().insert(self.closing.clone());
        request.extensions_mut().insert(self.origin);
        if let Some(peer) = &self.peer {
            request.extensions_mut().insert(peer.clone());
        }
        self.stack.answer(request).map(Ok).boxed()
    }
}

/// Has the system probe a silent peer, so that one that vanished is noticed where nothing is sent:
/// shells, quiet watches.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE)?;
    Ok(())
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW * 16);
    http
}

#[cfg(test)]
mod tests;
