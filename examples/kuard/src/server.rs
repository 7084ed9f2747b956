//! HTTP: one flat match from method and path to an answer.

use std::{
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::ACCEPT, header::CONTENT_TYPE,
    server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    environment, files,
    memory::Memory,
    page,
    probe::Probe,
    queue::{Queues, Refusal},
    resolve,
};

/// The largest request body taken, in bytes.
const BODY_LIMIT: usize = 1 << 20;

#[derive(Default)]
struct State {
    healthy: Probe,
    ready: Probe,
    memory: Memory,
    queues: Queues,
}

type Shared = Arc<Mutex<State>>;

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(port: u16) -> Result<(), String> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await;
    let listener = listener.map_err(|error| format!("port {port}: {error}"))?;
    println!("kuard {} serving on port {port}", environment::colour());
    let state = Shared::default();
    let mut stop = std::pin::pin!(until_told_to_stop());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            stopped = &mut stop => break stopped?,
        };
        let state = state.clone();
        let service = service_fn(move |request| answer(state.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
    println!("kuard stopping");
    Ok(())
}

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn until_told_to_stop() -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn answer(
    state: Shared,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let wants_json = request
        .headers()
        .get(ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
    let body = match Limited::new(request.into_body(), BODY_LIMIT)
        .collect()
        .await
    {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, "body too large\n")),
    };
    println!("{method} {uri}");
    Ok(route(
        &state,
        &method,
        uri.path(),
        uri.query().unwrap_or(""),
        wants_json,
        &body,
    )
    .await)
}

async fn route(
    state: &Shared,
    method: &Method,
    path: &str,
    query: &str,
    wants_json: bool,
    body: &Bytes,
) -> Response<Full<Bytes>> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", [""]) if wants_json => json(&environment::observe()),
        ("GET", [""]) => html(page::render(&environment::observe())),
        ("GET", ["env", "api"]) => json(&environment::observe()),
        ("GET", ["fs", ..]) => {
            match files::read(Path::new(&format!("/{}", segments[1..].join("/")))) {
                Ok(content) => bytes(StatusCode::OK, "application/octet-stream", content),
                Err(error) => text(StatusCode::NOT_FOUND, &format!("{error}\n")),
            }
        }
        ("GET", ["healthy"]) => probe(lock(state).healthy.ask()),
        ("GET", ["ready"]) => probe(lock(state).ready.ask()),
        ("GET", ["healthy", "api"]) => json(&lock(state).healthy),
        ("GET", ["ready", "api"]) => json(&lock(state).ready),
        ("PUT", ["healthy", "api"]) => set(&mut lock(state).healthy, body),
        ("PUT", ["ready", "api"]) => set(&mut lock(state).ready, body),
        ("GET", ["mem", "api"]) => json(&lock(state).memory.usage()),
        ("POST", ["mem", "api", "alloc"]) => match parameter(query, "size").parse() {
            Ok(size) => {
                lock(state).memory.allocate(size);
                json(&lock(state).memory.usage())
            }
            Err(_) => text(StatusCode::BAD_REQUEST, "size must be a number of bytes\n"),
        },
        ("POST", ["mem", "api", "clear"]) => {
            lock(state).memory.clear();
            json(&lock(state).memory.usage())
        }
        ("GET", ["memq", "server", "stats"]) => json(&lock(state).queues.stats()),
        ("PUT", ["memq", "server", "queues", name]) => done(lock(state).queues.create(name)),
        ("DELETE", ["memq", "server", "queues", name]) => done(lock(state).queues.remove(name)),
        ("POST", ["memq", "server", "queues", name, "enqueue"]) => {
            let message = String::from_utf8_lossy(body).into_owned();
            given(lock(state).queues.enqueue(name, message))
        }
        ("POST", ["memq", "server", "queues", name, "dequeue"]) => {
            given(lock(state).queues.dequeue(name))
        }
        ("POST", ["memq", "server", "queues", name, "drain"]) => {
            done(lock(state).queues.drain(name))
        }
        ("GET", ["dns", "api"]) => {
            let kind = match parameter(query, "type") {
                "" => "A",
                kind => kind,
            };
            match resolve::query(parameter(query, "name"), kind).await {
                Ok(answer) => json(&answer),
                Err(message) => text(StatusCode::BAD_GATEWAY, &format!("{message}\n")),
            }
        }
        _ => text(StatusCode::NOT_FOUND, "no such page\n"),
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().expect("no holder of the state panics")
}

/// The value of one query parameter, empty if absent. Values here need no percent-decoding.
fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}

fn probe(healthy: bool) -> Response<Full<Bytes>> {
    if healthy {
        text(StatusCode::OK, "ok\n")
    } else {
        text(StatusCode::INTERNAL_SERVER_ERROR, "fail\n")
    }
}

fn set(probe: &mut Probe, body: &Bytes) -> Response<Full<Bytes>> {
    match serde_json::from_slice(body) {
        Ok(new) => {
            probe.set(new);
            json(probe)
        }
        Err(error) => text(StatusCode::BAD_REQUEST, &format!("{error}\n")),
    }
}

fn done(outcome: Result<(), Refusal>) -> Response<Full<Bytes>> {
    outcome.map_or_else(refused, |()| text(StatusCode::OK, ""))
}

fn given<T: Serialize>(outcome: Result<T, Refusal>) -> Response<Full<Bytes>> {
    outcome.map_or_else(refused, |value| json(&value))
}

fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::NoSuchQueue => text(StatusCode::NOT_FOUND, "no such queue\n"),
        Refusal::Exists => text(StatusCode::CONFLICT, "queue exists\n"),
        Refusal::Empty => text(StatusCode::NO_CONTENT, ""),
    }
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    let mut content = serde_json::to_vec(value).expect("plain values serialise");
    content.push(b'\n');
    bytes(StatusCode::OK, "application/json", content)
}

fn html(content: String) -> Response<Full<Bytes>> {
    bytes(StatusCode::OK, "text/html", content.into_bytes())
}

fn text(status: StatusCode, content: &str) -> Response<Full<Bytes>> {
    bytes(status, "text/plain", content.as_bytes().to_vec())
}

fn bytes(status: StatusCode, kind: &str, content: Vec<u8>) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind);
    response
        .body(Full::new(content.into()))
        .expect("status and header are valid")
}
