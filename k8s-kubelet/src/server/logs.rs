//! `/containerLogs/{namespace}/{pod}/{container}`.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc;

use super::{
    directory::Entry,
    follow::{Filter, Follower},
    route::{Body, text},
};
use crate::{
    cri::{Container, ContainerState},
    pod::ephemeral,
};

/// Chunks that may wait for a slow reader.
const CHUNKS: usize = 16;

/// What the query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) follow: bool,
    pub(super) previous: bool,
    pub(super) tail_lines: Option<u64>,
    pub(super) filter: Filter,
}

impl Query {
    pub(super) fn parse(query: &str, now: Timestamp) -> Result<Self, String> {
        let mut parsed = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_true = matches!(&*value, "true" | "1" | "");
            let number = || {
                value
                    .parse::<i64>()
                    .map_err(|_| format!("invalid value for {key}: \"{value}\""))
            };
            match &*key {
                "follow" => parsed.follow = is_true,
                "previous" => parsed.previous = is_true,
                "timestamps" => parsed.filter.timestamps = is_true,
                "tailLines" => {
                    let lines = u64::try_from(number()?);
                    parsed.tail_lines = Some(lines.map_err(|_| "tailLines must not be negative")?);
                }
                "limitBytes" => {
                    let limit = u64::try_from(number()?).ok().filter(|limit| *limit > 0);
                    parsed.filter.limit = Some(limit.ok_or("limitBytes must be greater than 0")?);
                }
                "sinceSeconds" => {
                    let since = now.as_second().saturating_sub(number()?);
                    parsed.filter.since = Timestamp::from_second(since).ok();
                }
                "sinceTime" => {
                    let since = value
                        .parse()
                        .map_err(|_| format!("invalid sinceTime: \"{value}\""))?;
                    parsed.filter.since = Some(since);
                }
                "stream" => parsed.filter.stream = Filter::stream(&value)?,
                _ => {}
            }
        }
        Ok(parsed)
    }
}

pub(super) async fn handle(entry: Entry, container: &str, query: &str) -> Response<Body> {
    let query = match Query::parse(query, entry.agent.now()) {
        Ok(query) => query,
        Err(message) => return text(StatusCode::BAD_REQUEST, message),
    };
    let name = entry.pod.metadata.name.as_deref().unwrap_or_default();
    if !has_container(&entry.pod, container) {
        let message = format!("container {container} not found in pod {name}");
        return text(StatusCode::NOT_FOUND, message);
    }
    let uid = entry.pod.metadata.uid.clone().unwrap_or_default();
    let view = entry.agent.pleg.view(&uid);
    let mut runs = view
        .runs(container)
        .filter(|run| run.state != ContainerState::Created);
    let run = if query.previous {
        runs.nth(1)
    } else {
        runs.next()
    };
    let Some(run) = run.cloned() else {
        let message = if query.previous {
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
        } else {
            let reason = waiting_reason(&entry.pod, container);
            format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}")
        };
        return text(StatusCode::BAD_REQUEST, message);
    };
    if entry.agent.runtime.is_simulated() {
        let line =
            format!("hollow pod {name}: container {container} is simulated and writes nothing\n");
        return text(StatusCode::OK, line);
    }
    let path = log_path(&entry, &run);
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let is_running = {
        let pleg = entry.agent.pleg.clone();
        let id = run.id.clone();
        Arc::new(move || {
            let view = pleg.view(&uid);
            view.container(&id)
                .is_some_and(|run| run.state == ContainerState::Running)
        })
    };
    let follower = Follower {
        path,
        filter: query.filter,
        tail_lines: query.tail_lines,
        is_running: query.follow.then_some(is_running),
    };
    // Ends with the reader: a closed channel stops it.
    tokio::spawn(follower.run(sender));
    let chunks = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver
            .recv()
            .await
            .map(|chunk: Bytes| (Ok(Frame::data(chunk)), receiver))
    });
    let body = StreamBody::new(chunks.boxed()).boxed_unsync();
    let mut response = Response::new(body);
    let plain = header::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn log_path(entry: &Entry, run: &Container) -> PathBuf {
    let meta = &entry.pod.metadata;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let config = &entry.agent.config;
    let logs = config.pod_logs(&part(&meta.namespace), &part(&meta.name), &part(&meta.uid));
    config.container_log(&logs, &run.name, run.restart_count)
}

pub(super) fn has_container(pod: &Pod, name: &str) -> bool {
    pod.spec.iter().any(|spec| {
        let init = spec.init_containers.iter().flatten();
        let mut all = spec.containers.iter().chain(init);
        all.any(|container| container.name == name) || ephemeral::is_ephemeral(spec, name)
    })
}

fn waiting_reason(pod: &Pod, container: &str) -> String {
    let status = pod.status.as_ref();
    let mut all = status.into_iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    });
    let state = all
        .find(|status| status.name == container)
        .and_then(|status| status.state.clone());
    let waiting = state.and_then(|state| state.waiting);
    waiting
        .and_then(|waiting| waiting.reason)
        .unwrap_or_else(|| "ContainerCreating".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_checked() {
        let now = Timestamp::from_second(1000).unwrap();
        let query = Query::parse(
            "follow=true&tailLines=3&sinceSeconds=10&timestamps=true",
            now,
        )
        .unwrap();
        assert!(query.follow && query.filter.timestamps);
        assert_eq!(query.tail_lines, Some(3));
        assert_eq!(query.filter.since.unwrap().as_second(), 990);
        for bad in [
            "tailLines=-1",
            "tailLines=x",
            "limitBytes=0",
            "sinceTime=yesterday",
            "stream=x",
        ] {
            assert!(Query::parse(bad, now).is_err(), "{bad}");
        }
    }
}
