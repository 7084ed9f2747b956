//! `/exec` and `/attach`: checks the request, asks the runtime, and joins the two ends.

use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};
use tokio_util::sync::CancellationToken;

use super::{
    channel,
    directory::Entry,
    logs::has_container,
    route::{Body, text},
    session,
};
use crate::cri::{Container, ContainerState, RuntimeError, Streams};

/// What the query asks for. The API's names of the streams and the agent's older ones both serve.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    command: Vec<String>,
    streams: Streams,
}

fn parse(query: &str) -> Query {
    let mut parsed = Query::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_true = matches!(&*value, "true" | "1");
        let streams = &mut parsed.streams;
        match &*key {
            "command" => parsed.command.push(value.into_owned()),
            "stdin" | "input" => streams.stdin = is_true,
            "stdout" | "output" => streams.stdout = is_true,
            "stderr" | "error" => streams.stderr = is_true,
            "tty" => streams.tty = is_true,
            _ => {}
        }
    }
    parsed
}

pub(super) async fn exec(
    entry: Entry,
    container: &str,
    query: &str,
    request: Request<Incoming>,
    sessions: &CancellationToken,
) -> Response<Body> {
    let query = parse(query);
    if query.command.is_empty() {
        return text(
            StatusCode::BAD_REQUEST,
            "you must specify at least one command for the container",
        );
    }
    let run = match running(&entry, container, query.streams) {
        Ok(run) => run,
        Err(answer) => return *answer,
    };
    let url = entry
        .agent
        .runtime
        .exec(&run.id, &query.command, query.streams)
        .await;
    join(url, query.streams, request, sessions)
}

pub(super) async fn attach(
    entry: Entry,
    container: &str,
    query: &str,
    request: Request<Incoming>,
    sessions: &CancellationToken,
) -> Response<Body> {
    let query = parse(query);
    let run = match running(&entry, container, query.streams) {
        Ok(run) => run,
        Err(answer) => return *answer,
    };
    let url = entry.agent.runtime.attach(&run.id, query.streams).await;
    join(url, query.streams, request, sessions)
}

/// The container's running instance, or the answer that there is none.
fn running(
    entry: &Entry,
    container: &str,
    streams: Streams,
) -> Result<Container, Box<Response<Body>>> {
    let refuse = |status, message: String| Err(Box::new(text(status, message)));
    if !(streams.stdin || streams.stdout || streams.stderr) {
        let message = "you must specify at least 1 of stdin, stdout, stderr";
        return refuse(StatusCode::BAD_REQUEST, message.into());
    }
    let name = entry.pod.metadata.name.as_deref().unwrap_or_default();
    if !has_container(&entry.pod, container) {
        return refuse(
            StatusCode::NOT_FOUND,
            format!("container {container} not found in pod {name}"),
        );
    }
    let uid = entry.pod.metadata.uid.as_deref().unwrap_or_default();
    let view = entry.agent.pleg.view(uid);
    match view
        .latest(container)
        .filter(|run| run.state == ContainerState::Running)
    {
        Some(run) => Ok(run.clone()),
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("container not found (\"{container}\")"),
        ),
    }
}

/// Upgrades the caller's connection and joins it with the runtime's.
fn join(
    url: Result<String, RuntimeError>,
    streams: Streams,
    mut request: Request<Incoming>,
    sessions: &CancellationToken,
) -> Response<Body> {
    let url = match url {
        Ok(url) => url,
        Err(RuntimeError::Unsupported(what)) => {
            let message = format!("{what} is not possible: its containers are simulated");
            return text(StatusCode::NOT_IMPLEMENTED, message);
        }
        Err(error) if error.is_not_found() => {
            return text(StatusCode::NOT_FOUND, error.to_string());
        }
        Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let headers = request.headers();
    let get = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_websocket = get(header::UPGRADE).is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let protocol = channel::choose(offers);
    let key = get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (true, Some(protocol), Some(accept)) = (is_websocket, protocol, key) else {
        let served = channel::PROTOCOLS.join(" or ");
        let message = format!("unable to upgrade: a WebSocket that speaks {served} is required");
        return text(StatusCode::BAD_REQUEST, message);
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let cancel = sessions.clone();
    // Ends with either side, or with the server.
    tokio::spawn(cancel.run_until_cancelled_owned(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => TokioIo::new(upgraded),
            Err(error) => return tracing::debug!(%error, "upgrade failed"),
        };
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        session::run(socket, &url, streams).await;
    }));
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    let empty = text(StatusCode::OK, "").into_body();
    response
        .body(empty)
        .unwrap_or_else(|error| text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
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
        let expected = Query { command, streams };
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
