//! HTTP in front of the state.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use serde_json::{Value, json};

use super::{
    FakeApi, discovery,
    object::{Path, failure},
    state::is_in,
};

type Answer = Response<UnsyncBoxBody<Bytes, std::convert::Infallible>>;

pub(super) async fn serve(api: &FakeApi, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let path_text = head.uri.path().to_owned();
    {
        let mut state = api.state();
        state.requests.push(format!("{} {path_text}", head.method));
        if state.failures > 0 {
            state.failures -= 1;
            return answer(Err(failure(500, "InternalError", "injected failure")));
        }
    }
    if let Some(document) = discovery::document(&path_text) {
        return answer(Ok(document));
    }
    let Some(path) = Path::parse(&path_text) else {
        return answer(Err(failure(404, "NotFound", "no such path")));
    };
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return answer(Err(failure(400, "BadRequest", error.to_string()))),
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let query = head.uri.query().unwrap_or_default();
    match (&head.method, path.name.is_empty()) {
        (&Method::GET, true) if query.contains("watch=true") => watch(api, path, query),
        (&Method::GET, true) => answer(Ok(list(api, &path))),
        (&Method::GET, false) => answer(api.state().get(&path)),
        (&Method::POST, true) => answer(api.change(|state| state.create(&path, body))),
        (&Method::PUT, false) => answer(api.change(|state| state.update(&path, body))),
        (&Method::PATCH, false) => answer(api.change(|state| state.patch(&path, &body))),
        (&Method::DELETE, true) => answer(Ok(delete_all(api, &path, &body))),
        (&Method::DELETE, false) => answer(api.change(|state| state.delete(&path, &body))),
        _ => answer(Err(failure(405, "MethodNotAllowed", "not served"))),
    }
}

fn list(api: &FakeApi, path: &Path) -> Value {
    let state = api.state();
    json!({
        "kind": "List", "apiVersion": path.api_version(),
        "metadata": {"resourceVersion": state.revision.to_string()},
        "items": state.list(path),
    })
}

fn delete_all(api: &FakeApi, path: &Path, options: &Value) -> Value {
    let objects = api.state().list(path);
    for object in objects {
        let text = |field: &str| {
            object["metadata"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let one = Path {
            namespace: text("namespace"),
            name: text("name"),
            ..path.clone()
        };
        // One that went meanwhile is as good as deleted.
        let _ = api.change(|state| state.delete(&one, options));
    }
    json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

/// Replays the log from the asked revision, then follows it.
fn watch(api: &FakeApi, path: Path, query: &str) -> Answer {
    let asked = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("resourceVersion="));
    let from: u64 = asked.and_then(|rv| rv.parse().ok()).unwrap_or(0);
    let frames = events(api.clone(), path, from).map(|event| {
        let mut line = event.to_string();
        line.push('\n');
        Ok(Frame::data(Bytes::from(line)))
    });
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn events(api: FakeApi, path: Path, from: u64) -> impl Stream<Item = Value> {
    let changed = api.shared.revision.subscribe();
    let start = (api, path, from, changed, false);
    let batches = stream::unfold(
        start,
        |(api, path, mut from, mut changed, ended)| async move {
            if ended {
                return None;
            }
            loop {
                changed.mark_unchanged();
                let (batch, expired) = since(&api, &path, &mut from);
                if expired || !batch.is_empty() {
                    return Some((stream::iter(batch), (api, path, from, changed, expired)));
                }
                changed.changed().await.ok()?;
            }
        },
    );
    batches.flatten()
}

/// What happened after `from`, which moves along; and whether that is no longer known.
fn since(api: &FakeApi, path: &Path, from: &mut u64) -> (Vec<Value>, bool) {
    let state = api.state();
    if *from < state.compacted {
        let status = failure(410, "Expired", "too old resource version");
        return (vec![json!({"type": "ERROR", "object": status})], true);
    }
    let news = state.log.iter().filter(|change| change.revision > *from);
    let batch = news
        .filter(|change| is_in(&change.place, path))
        .map(|change| json!({"type": change.kind, "object": change.object}))
        .collect();
    *from = state.revision;
    (batch, false)
}

fn answer(result: Result<Value, Value>) -> Answer {
    let (code, body) = match result {
        Ok(object) => (200, object),
        Err(status) => {
            let code = status["code"]
                .as_u64()
                .and_then(|code| code.try_into().ok());
            (code.unwrap_or(500), status)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(code).expect("codes are written here");
    response
}
