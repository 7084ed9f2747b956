//! `/exec`, `/attach`, `/portForward` and `/run`: checks the request, asks the runtime, and joins the two
//! ends.
//!
//! What callers and runtimes speak alike, SPDY first of all, is carried as bytes. Of the WebSocket
//! protocols, those of remote commands are translated, since runtimes know the older ones only and
//! those can't close standard input.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    channel::Protocol,
    dial::{self, Answer},
    directory::Entry,
    logs::has_container,
    route::{Body, text},
    session,
    splice::splice,
    tunnel,
};
use crate::cri::{Container, ContainerState, RuntimeError, StreamServer, Streams};

/// The longest message of a caller, in bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// How long a command without streams may take.
const RUN: Duration = Duration::from_secs(4 * 60 * 60);
/// What tells the protocols inside a connection apart.
const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// What the query asks for. The API's names of the streams and the agent's older ones both serve.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    command: Vec<String>,
    streams: Streams,
    ports: Vec<String>,
}

fn parse(query: &str) -> Query {
    let mut parsed = Query::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_true = matches!(&*value, "true" | "1");
        let streams = &mut parsed.streams;
        match &*key {
            "command" => parsed.command.push(value.into_owned()),
            "cmd" => parsed.command.extend(value.split(' ').map(str::to_owned)),
            "stdin" | "input" => streams.stdin = is_true,
            "stdout" | "output" => streams.stdout = is_true,
            "stderr" | "error" => streams.stderr = is_true,
            "tty" => streams.tty = is_true,
            "port" => parsed.ports.extend(value.split(',').map(str::to_owned)),
            _ => {}
        }
    }
    parsed
}

/// A request for a stream, and what ends with the server.
pub(super) struct Wish<'a> {
    pub(super) request: Request<Incoming>,
    pub(super) sessions: &'a CancellationToken,
}

impl Wish<'_> {
    fn query(&self) -> Query {
        parse(self.request.uri().query().unwrap_or_default())
    }
}

pub(super) async fn exec(entry: Entry, container: &str, wish: Wish<'_>) -> Response<Body> {
    let query = wish.query();
    if query.command.is_empty() {
        return text(
            StatusCode::BAD_REQUEST,
            "you must specify at least one command for the container",
        );
    }
    let run = match wanted(query.streams).and_then(|()| running(&entry, container)) {
        Ok(run) => run,
        Err(answer) => return *answer,
    };
    let runtime = &entry.agent.runtime;
    let server = runtime.exec(&run.id, &query.command, query.streams).await;
    command(server, query.streams, wish).await
}

pub(super) async fn attach(entry: Entry, container: &str, wish: Wish<'_>) -> Response<Body> {
    let query = wish.query();
    let run = match wanted(query.streams).and_then(|()| running(&entry, container)) {
        Ok(run) => run,
        Err(answer) => return *answer,
    };
    let server = entry.agent.runtime.attach(&run.id, query.streams).await;
    command(server, query.streams, wish).await
}

/// A command to its end, without streams: both outputs in one.
pub(super) async fn run(entry: Entry, container: &str, query: &str) -> Response<Body> {
    let run = match running(&entry, container) {
        Ok(run) => run,
        Err(answer) => return *answer,
    };
    let command = parse(query).command;
    match entry.agent.runtime.exec_sync(&run.id, &command, RUN).await {
        Ok(output) => {
            if output.exit_code != 0 {
                let (command, code) = (command.join(" "), output.exit_code);
                let complaint = String::from_utf8_lossy(&output.stderr);
                let message = format!("command '{command}' exited with {code}: {complaint}");
                return text(StatusCode::INTERNAL_SERVER_ERROR, message);
            }
            text(StatusCode::OK, [output.stdout, output.stderr].concat())
        }
        Err(error) => refused(error),
    }
}

pub(super) async fn port_forward(entry: Entry, wish: Wish<'_>) -> Response<Body> {
    let mut ports = Vec::new();
    for port in wish.query().ports {
        match port.parse::<u16>() {
            Ok(port @ 1..) => ports.push(port),
            _ => {
                let message = format!("unable to parse \"{port}\" as a port");
                return text(StatusCode::BAD_REQUEST, message);
            }
        }
    }
    let uid = entry.pod.metadata.uid.as_deref().unwrap_or_default();
    let view = entry.agent.pleg.view(uid);
    let Some(sandbox) = view.ready_sandbox() else {
        let name = entry.pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = entry.pod.metadata.namespace.as_deref().unwrap_or_default();
        let message = format!("not able to find pod with name \"{namespace}/{name}\"");
        return text(StatusCode::INTERNAL_SERVER_ERROR, message);
    };
    let server = match entry.agent.runtime.port_forward(&sandbox.id, &ports).await {
        Ok(server) => server,
        Err(error) => return refused(error),
    };
    let mut offers = offers(wish.request.headers());
    let tunnelled = offers.find_map(|offer| offer.strip_prefix(tunnel::PREFIX).map(str::to_owned));
    drop(offers);
    match tunnelled.filter(|_| is_websocket(wish.request.headers())) {
        Some(protocol) => tunnel(server, &protocol, wish).await,
        None => relay(server, wish).await,
    }
}

/// SPDY in a WebSocket: the runtime gets what is inside.
async fn tunnel(server: StreamServer, protocol: &str, wish: Wish<'_>) -> Response<Body> {
    let mut headers = session::upgrade_to("SPDY/3.1");
    match protocol.parse() {
        Ok(protocol) => headers.insert(STREAM_PROTOCOL, protocol),
        Err(_) => {
            return text(
                StatusCode::BAD_REQUEST,
                "unable to upgrade: malformed protocol",
            );
        }
    };
    match dial::upgrade(server, http::Method::POST, headers).await {
        Ok(Answer::Switched(_, runtime)) => {
            let chosen = format!("{}{protocol}", tunnel::PREFIX);
            accept(wish, &chosen, |mut socket| async move {
                tunnel::run(&mut socket, runtime).await;
                session::close(socket).await;
            })
        }
        Ok(Answer::Refused(refusal)) => passed_on(refusal),
        Err(message) => unreachable(&message),
    }
}

/// Whether any stream is asked for.
fn wanted(streams: Streams) -> Result<(), Box<Response<Body>>> {
    if streams.stdin || streams.stdout || streams.stderr {
        return Ok(());
    }
    let message = "you must specify at least 1 of stdin, stdout, stderr";
    Err(Box::new(text(StatusCode::BAD_REQUEST, message)))
}

/// The container's running instance, or the answer that there is none.
fn running(entry: &Entry, container: &str) -> Result<Container, Box<Response<Body>>> {
    let missing = |message: String| Err(Box::new(text(StatusCode::NOT_FOUND, message)));
    let name = entry.pod.metadata.name.as_deref().unwrap_or_default();
    if !has_container(&entry.pod, container) {
        return missing(format!("container {container} not found in pod {name}"));
    }
    let uid = entry.pod.metadata.uid.as_deref().unwrap_or_default();
    let view = entry.agent.pleg.view(uid);
    let latest = view.latest(container);
    match latest.filter(|run| run.state == ContainerState::Running) {
        Some(run) => Ok(run.clone()),
        None => missing(format!("container not found (\"{container}\")")),
    }
}

/// Joins a caller with a command.
async fn command(
    server: Result<StreamServer, RuntimeError>,
    streams: Streams,
    wish: Wish<'_>,
) -> Response<Body> {
    let server = match server {
        Ok(server) => server,
        Err(error) => return refused(error),
    };
    let headers = wish.request.headers();
    if !is_websocket(headers) {
        return relay(server, wish).await;
    }
    let Some(protocol) = Protocol::choose(offers(headers)) else {
        let offered: Vec<_> = offers(headers).collect();
        let message = format!("unable to upgrade: none of the protocols {offered:?} is served");
        return text(StatusCode::FORBIDDEN, message);
    };
    accept(wish, protocol.name, move |socket| {
        session::run(socket, server, protocol, streams)
    })
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The subprotocols that a WebSocket's caller offers, best first.
fn offers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',').map(str::trim))
}

/// Makes the caller's connection a WebSocket that speaks `protocol`, for `serve`.
fn accept<F>(
    mut wish: Wish<'_>,
    protocol: &str,
    serve: impl FnOnce(WebSocketStream<TokioIo<Upgraded>>) -> F + Send + 'static,
) -> Response<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let key = wish.request.headers().get(header::SEC_WEBSOCKET_KEY);
    let Some(key) = key.map(|key| derive_accept_key(key.as_bytes())) else {
        return text(
            StatusCode::BAD_REQUEST,
            "unable to upgrade: no WebSocket key",
        );
    };
    let upgrade = hyper::upgrade::on(&mut wish.request);
    let cancel = wish.sessions.clone();
    // Ends with either side, or with the server.
    tokio::spawn(cancel.run_until_cancelled_owned(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => TokioIo::new(upgraded),
            Err(error) => return tracing::debug!(%error, "upgrade failed"),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        serve(WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await).await;
    }));
    let mut response = switching("websocket");
    let headers = response.headers_mut();
    if let Ok(key) = key.parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Ok(protocol) = protocol.parse::<http::HeaderValue>()
        && !protocol.is_empty()
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// What of a request to upgrade, and of its answer, is between the caller and the runtime.
const NEGOTIATION: [HeaderName; 8] = [
    header::CONNECTION,
    header::UPGRADE,
    STREAM_PROTOCOL,
    HeaderName::from_static("x-accepted-stream-protocol-versions"),
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_ACCEPT,
];

fn negotiation(headers: &HeaderMap) -> HeaderMap {
    let of = |name: &HeaderName| {
        let values = headers.get_all(name).iter();
        let name = name.clone();
        values.map(move |value| (name.clone(), value.clone()))
    };
    NEGOTIATION.iter().flat_map(of).collect()
}

/// Lets the caller speak with the runtime itself.
async fn relay(server: StreamServer, mut wish: Wish<'_>) -> Response<Body> {
    let headers = negotiation(wish.request.headers());
    if !headers.contains_key(header::UPGRADE) {
        let message = "unable to upgrade: missing upgrade headers in request";
        return text(StatusCode::BAD_REQUEST, message);
    }
    match dial::upgrade(server, wish.request.method().clone(), headers).await {
        Ok(Answer::Switched(headers, runtime)) => {
            let upgrade = hyper::upgrade::on(&mut wish.request);
            let cancel = wish.sessions.clone();
            // Ends with either side, or with the server.
            tokio::spawn(cancel.run_until_cancelled_owned(async move {
                match upgrade.await {
                    Ok(caller) => splice(TokioIo::new(caller), runtime).await,
                    Err(error) => tracing::debug!(%error, "upgrade failed"),
                }
            }));
            let mut response = switching("SPDY/3.1");
            *response.headers_mut() = negotiation(&headers);
            response
        }
        Ok(Answer::Refused(refusal)) => passed_on(refusal),
        Err(message) => unreachable(&message),
    }
}

fn switching(protocol: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    *response.headers_mut() = session::upgrade_to(protocol);
    response
}

/// A runtime's refusal, in its own words.
fn passed_on(refusal: Response<bytes::Bytes>) -> Response<Body> {
    let negotiated = negotiation(refusal.headers());
    let mut response = text(refusal.status(), refusal.into_body());
    let accepted = negotiated
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value)));
    for (name, value) in accepted.filter(|(name, _)| name.as_str().starts_with("x-")) {
        response.headers_mut().append(name, value);
    }
    response
}

fn unreachable(message: &str) -> Response<Body> {
    let message = format!("error streaming to the container runtime: {message}");
    text(StatusCode::INTERNAL_SERVER_ERROR, message)
}

fn refused(error: RuntimeError) -> Response<Body> {
    match error {
        RuntimeError::Unsupported(what) => {
            let message = format!("{what} is not possible: its containers are simulated");
            text(StatusCode::NOT_IMPLEMENTED, message)
        }
        error if error.is_not_found() => text(StatusCode::NOT_FOUND, error.to_string()),
        error => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_streams_serve() {
        let streams = Streams {
            stdin: true,
            stdout: true,
            stderr: false,
            tty: true,
        };
        let command = vec!["sh".to_owned(), "-c".to_owned(), "a b".to_owned()];
        let expected = Query {
            command,
            streams,
            ..Query::default()
        };
        assert_eq!(
            parse("command=sh&command=-c&command=a+b&stdin=true&stdout=true&tty=true"),
            expected
        );
        assert_eq!(
            parse("command=sh&command=-c&command=a%20b&input=1&output=1&tty=1"),
            expected
        );
    }
}
