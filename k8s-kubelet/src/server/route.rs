//! Paths and who may call them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::{
    access::{Access, Identity, Refusal},
    directory::{Directory, Entry},
    figure::Figure,
    logs,
    streaming::{self, Wish},
};

pub(super) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A short answer in words.
pub(super) fn text(status: StatusCode, message: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(message.into()).boxed_unsync());
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Who calls, and what ends with the server.
pub(super) struct Caller {
    pub(super) certificate: Option<Identity>,
    pub(super) access: Arc<Access>,
    pub(super) sessions: CancellationToken,
}

impl Caller {
    async fn check(&self, request: &Request<Incoming>) -> Result<(), Refusal> {
        let certificate = self.certificate.as_ref();
        let access = &self.access;
        let identity = access.authenticate(certificate, request.headers()).await?;
        let path = request.uri().path();
        access.authorize(&identity, request.method(), path).await
    }
}

/// Answers a request.
pub(super) async fn handle(
    directory: &Directory,
    caller: &Caller,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let parts: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let Err(Refusal(status, message)) = caller.check(&request).await {
        return text(status, message);
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let wish = |request| Wish {
        request,
        sessions: &caller.sessions,
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(figure) = Figure::of(&parts).filter(|_| is_read) {
        return figure.answer(directory).await;
    }
    match parts.as_slice() {
        ["healthz" | "livez" | "readyz"] if is_read => text(StatusCode::OK, "ok"),
        ["pods"] if is_read => pods(directory),
        ["containerLogs", namespace, pod, container] if is_read => {
            match directory.get(namespace, pod) {
                Some(entry) => logs::handle(entry, container, &query).await,
                None => missing(namespace, pod),
            }
        }
        ["run", namespace, pod, rest @ .., container] if rest.len() < 2 => {
            match stream_of(directory, namespace, pod, rest) {
                Ok(entry) => streaming::run(entry, container, &query).await,
                Err(answer) => *answer,
            }
        }
        [
            action @ ("exec" | "attach"),
            namespace,
            pod,
            rest @ ..,
            container,
        ] if rest.len() < 2 => match stream_of(directory, namespace, pod, rest) {
            Ok(entry) if *action == "exec" => {
                streaming::exec(entry, container, wish(request)).await
            }
            Ok(entry) => streaming::attach(entry, container, wish(request)).await,
            Err(answer) => *answer,
        },
        ["portForward", namespace, pod, rest @ ..] if rest.len() < 2 => {
            match stream_of(directory, namespace, pod, rest) {
                Ok(entry) => streaming::port_forward(entry, wish(request)).await,
                Err(answer) => *answer,
            }
        }
        _ => text(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

/// The pod to stream from; of the path's rest, the first is its uid.
fn stream_of(
    directory: &Directory,
    namespace: &str,
    pod: &str,
    rest: &[&str],
) -> Result<Entry, Box<Response<Body>>> {
    let entry = directory.get(namespace, pod);
    let entry = entry.filter(|entry| has_uid(entry, rest.first()));
    entry.ok_or_else(|| Box::new(text(StatusCode::NOT_FOUND, "pod does not exist")))
}

fn has_uid(entry: &Entry, uid: Option<&&str>) -> bool {
    uid.is_none_or(|uid| entry.pod.metadata.uid.as_deref() == Some(*uid))
}

fn missing(namespace: &str, pod: &str) -> Response<Body> {
    text(
        StatusCode::NOT_FOUND,
        format!("pod \"{namespace}/{pod}\" not found"),
    )
}

fn pods(directory: &Directory) -> Response<Body> {
    let pods = directory.list();
    let items: Vec<_> = pods.iter().map(|pod| &**pod).collect();
    let list =
        serde_json::json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items});
    let mut response = text(StatusCode::OK, list.to_string());
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
