//! Port-forward to a hollow pod: the streaming server that a real runtime would have, for whoever is
//! said to listen.

use std::{collections::HashMap, convert::Infallible};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::Listeners;
use crate::{
    cri::Sandbox,
    spdy::{self, Headers, Task},
};

const PROTOCOL: &str = "portforward.k8s.io";
const OFFER: &str = "x-stream-protocol-version";
/// Bytes that wait in the pipe, each way.
const CAPACITY: usize = 64 * 1024;

/// Opens a pipe to a server for one request, which ends with the pipe.
pub(super) fn serve(sandbox: Sandbox, listeners: Listeners) -> DuplexStream {
    let (near, far) = tokio::io::duplex(CAPACITY);
    tokio::spawn(async move {
        let answer = service_fn(move |mut request: Request<Incoming>| {
            let answer = answer(&request);
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                let pairs = Pairs {
                    sandbox: sandbox.clone(),
                    listeners: listeners.clone(),
                    halves: HashMap::new(),
                };
                tokio::spawn(forward(hyper::upgrade::on(&mut request), pairs));
            }
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let http = http1::Builder::new().serve_connection(TokioIo::new(far), answer);
        if let Err(error) = http.with_upgrades().await {
            tracing::debug!(%error, "port-forward broke");
        }
    });
    near
}

async fn forward(upgrade: OnUpgrade, mut pairs: Pairs) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return tracing::debug!(%error, "upgrade failed"),
    };
    let open = move |headers, stream| pairs.join(&headers, stream);
    if let Err(error) = spdy::serve(upgraded, open).await {
        tracing::debug!(%error, "port-forward broke");
    }
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let refuse = |status, message: String| {
        let mut response = Response::new(Full::new(message.into()));
        *response.status_mut() = status;
        response
    };
    let upgrade = request.headers().get(header::UPGRADE);
    if !upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"SPDY/3.1")) {
        let message = "unable to upgrade: missing upgrade headers in request";
        return refuse(StatusCode::BAD_REQUEST, message.into());
    }
    let offers = request.headers().get_all(OFFER).iter();
    let offers: Vec<_> = offers.filter_map(|offer| offer.to_str().ok()).collect();
    let offered = || offers.iter().flat_map(|offer| offer.split(','));
    if !offered().any(|offer| offer.trim() == PROTOCOL) {
        let message = format!(
            "unable to upgrade: unable to negotiate protocol: client supports {offers:?}, server accepts [{PROTOCOL}]"
        );
        let mut response = refuse(StatusCode::FORBIDDEN, message);
        let accepted = HeaderValue::from_static(PROTOCOL);
        let name = "x-accepted-stream-protocol-versions";
        response.headers_mut().insert(name, accepted);
        return response;
    }
    let mut response = refuse(StatusCode::SWITCHING_PROTOCOLS, String::new());
    for (name, value) in [
        (header::CONNECTION.as_str(), "Upgrade"),
        (header::UPGRADE.as_str(), "SPDY/3.1"),
        (OFFER, PROTOCOL),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// A connection to a port is a pair of streams with the same request id: for data and for an error.
struct Pairs {
    sandbox: Sandbox,
    listeners: Listeners,
    /// The streams whose others haven't come yet.
    halves: HashMap<(String, bool), DuplexStream>,
}

impl Pairs {
    fn join(&mut self, headers: &Headers, stream: DuplexStream) -> Task {
        let header = |name| headers.get(name).unwrap_or_default();
        let (request, is_error) = (
            header("requestid").to_owned(),
            header("streamtype") == "error",
        );
        let Some(other) = self.halves.remove(&(request.clone(), !is_error)) else {
            self.halves.insert((request, is_error), stream);
            return Box::pin(std::future::ready(()));
        };
        let (mut data, mut error) = if is_error {
            (other, stream)
        } else {
            (stream, other)
        };
        let port = header("port").to_owned();
        let listener = port
            .parse()
            .ok()
            .and_then(|port| (self.listeners)(&self.sandbox, port));
        let sandbox = self.sandbox.id.clone();
        Box::pin(async move {
            let result = match listener {
                Some(mut listener) => tokio::io::copy_bidirectional(&mut data, &mut listener)
                    .await
                    .map_err(|error| error.to_string()),
                None => Err(format!("connect to localhost:{port}: connection refused")),
            };
            if let Err(cause) = result {
                let message =
                    format!("error forwarding port {port} to pod {sandbox}, uid : {cause}");
                let _ = error.write_all(message.as_bytes()).await;
            }
        })
    }
}
