//! Says who asked for what and what came of it: in the [audit log](crate::audit) as its policy asks
//! for, and to whoever listens to `tracing` events with target `audit`.
//!
//! [`Receive`] comes first: it gives each request its `Audit-ID`, which the client may have chosen, and
//! notices those that don't get past authentication. [`Audit`] comes right behind authentication.
//!
//! The `tracing` events, one per request, carry names, verbs and what admission annotated, never
//! bodies. Failures are at `WARN` from 500 on, everything else at `INFO`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_apimachinery::{Value, scheme::codec};

use super::{Handler, Step, impersonate, request_info::RequestInfo};
use crate::{
    ApiError, Request, Response, User,
    audit::{Auditor, Event, Ledger, Level, Made, ResponseStatus, Stage, Verdict},
    body,
    registry::{Annotations, Environment, new_uid},
};

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// The longest id that a client may choose, in bytes.
const LONGEST_ID: usize = 256;
/// The longest user agent that is repeated whole, in bytes.
const LONGEST_AGENT: usize = 1024;

/// Gives each request its audit id.
#[derive(Clone)]
pub struct Receive {
    /// The audit log; none if there isn't any.
    pub auditor: Option<Auditor>,
    /// Time, and ids.
    pub environment: Arc<dyn Environment>,
}

/// Audits requests whose user is known.
#[derive(Clone)]
pub struct Audit {
    /// The audit log; none if there isn't any.
    pub auditor: Option<Auditor>,
    /// Time.
    pub environment: Arc<dyn Environment>,
}

/// Where a connection comes from; set on its requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(pub(crate) SocketAddr);

/// What [`Receive`] found out about a request.
#[derive(Debug)]
struct Received {
    id: HeaderValue,
    at: Timestamp,
    /// Whether [`Audit`] has seen it.
    is_known: AtomicBool,
}

impl Step for Receive {
    async fn handle<N: Handler>(
        &self,
        mut request: Request,
        next: N,
    ) -> Result<Response, ApiError> {
        let received = Arc::new(Received {
            id: self.id(request.headers())?,
            at: self.environment.now(),
            is_known: AtomicBool::new(false),
        });
        request.extensions_mut().insert(Arc::clone(&received));
        let info = RequestInfo::of(&request);
        let verdict = self.auditor.as_ref().map(|it| it.decide_refused(&info));
        let event = verdict
            .filter(|verdict| verdict.level != Level::None)
            .map(|verdict| {
                (
                    described(verdict.level, &received, &request, &info),
                    verdict,
                )
            });
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        headers.insert(AUDIT_ID, received.id.clone());
        let is_known = received.is_known.load(Ordering::Relaxed);
        if response.status() == StatusCode::UNAUTHORIZED && !is_known {
            trace(&info, "", "", 401, None, Instant::now());
            if let (Some(auditor), Some((mut event, verdict))) = (&self.auditor, event) {
                let message = "Authentication failed";
                let status = ResponseStatus::failure(401, "Unauthorized", message);
                event.response_status = Some(status);
                event.stage = Stage::ResponseStarted;
                event.stage_timestamp = self.environment.now();
                if !verdict.omit_stages.contains(&event.stage) {
                    auditor.keep(&event);
                }
            }
        }
        Ok(response)
    }
}

impl Receive {
    fn id(&self, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
        let chosen = headers.get(AUDIT_ID);
        let is_fit = |id: &&HeaderValue| {
            id.to_str()
                .is_ok_and(|id| !id.is_empty() && id.len() <= LONGEST_ID)
        };
        match chosen.filter(is_fit) {
            Some(id) => Ok(id.clone()),
            None => new_uid(&*self.environment)
                .try_into()
                .map_err(ApiError::internal),
        }
    }
}

impl Step for Audit {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let received = request.extensions().get::<Arc<Received>>().cloned();
        let received = received.expect("requests are received before they are audited");
        received.is_known.store(true, Ordering::Relaxed);
        let info = RequestInfo::of(&request);
        let user = User::of(&request);
        let is_traced = tracing::enabled!(target: "audit", tracing::Level::WARN);
        let acting_as = match is_traced {
            true => impersonate::asked_for(request.headers()).unwrap_or_default(),
            false => "",
        };
        let acting_as = acting_as.to_owned();
        let start = Instant::now();
        let verdict = self
            .auditor
            .as_ref()
            .map(|it| it.decide(Some(&user), &info));
        let response = match (&self.auditor, verdict) {
            (Some(auditor), Some(verdict)) if verdict.level != Level::None => {
                let mut event = described(verdict.level, &received, &request, &info);
                event.user = (&*user).into();
                let trail = Trail {
                    auditor: auditor.clone(),
                    environment: Arc::clone(&self.environment),
                    verdict,
                    event,
                    is_complete: false,
                };
                trail.follow(&info, request, next).await
            }
            _ => next.run(request).await,
        };
        if is_traced {
            let code = response.status().as_u16();
            let annotations = response.extensions().get();
            trace(&info, &user.name, &acting_as, code, annotations, start);
        }
        Ok(response)
    }
}

/// The stages of one request on their way into the log.
struct Trail {
    auditor: Auditor,
    environment: Arc<dyn Environment>,
    verdict: Verdict,
    event: Event,
    is_complete: bool,
}

impl Trail {
    async fn follow<N: Handler>(
        mut self,
        info: &RequestInfo,
        mut request: Request,
        next: N,
    ) -> Response {
        self.reach(Stage::RequestReceived);
        let ledger = Ledger::default();
        request.extensions_mut().insert(ledger.clone());
        let response = match self.look_at(info, request).await {
            Ok(request) => next.run(request).await,
            Err(error) => error.into_response(),
        };
        let notes = ledger.read();
        self.event.impersonated_user = notes.impersonated.as_deref().map(Into::into);
        self.event.annotations = notes.annotations;
        if let Some(annotations) = response.extensions().get::<Annotations>() {
            self.event.annotations.extend(annotations.clone());
        }
        let made = response.extensions().get::<Made>();
        if let (Some(made), Some(about)) = (made, &mut self.event.object_ref)
            && about.name.is_empty()
        {
            about.name.clone_from(&made.name);
        }
        let code = response.status().as_u16();
        self.event.response_status = Some(ResponseStatus::of(code));
        if info.is_long_running() {
            self.reach(Stage::ResponseStarted);
            if code < 400 {
                return response.map(|body| body::at_end(body, move |_| self.complete()));
            }
        }
        let wants_body = self.verdict.level == Level::RequestResponse;
        if code < 400 && !wants_body {
            self.complete();
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = match body.collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => {
                tracing::warn!(%error, "a response broke off");
                Bytes::new()
            }
        };
        if code >= 400 {
            self.event.response_status = Some(ResponseStatus::read(code, &bytes));
        }
        if wants_body {
            self.event.response_object = self.object(&parts.headers, &bytes);
        }
        self.complete();
        Response::from_parts(parts, body::full(bytes))
    }

    /// Reads the body, if the policy wants it, and leaves it in place.
    async fn look_at(&mut self, info: &RequestInfo, request: Request) -> Result<Request, ApiError> {
        if self.verdict.level < Level::Request || info.is_long_running() {
            return Ok(request);
        }
        let (mut parts, body) = request.into_parts();
        let bytes = body::read(body).await?;
        self.event.request_object = self.object(&parts.headers, &bytes);
        if self.verdict.level == Level::RequestResponse {
            // What comes back is to be read here as well.
            parts.headers.remove(header::ACCEPT_ENCODING);
        }
        Ok(Request::from_parts(parts, body::full(bytes)))
    }

    /// A body as a tree; none if it is in no notation that is read here.
    fn object(&self, headers: &HeaderMap, bytes: &[u8]) -> Option<Value> {
        let media_type = headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|it| it.to_str().ok()).unwrap_or("json");
        let mut object = match media_type {
            _ if bytes.is_empty() => return None,
            yaml if yaml.contains("yaml") => codec::decode_yaml(bytes).ok()?.0,
            json if json.contains("json") => serde_json::from_slice(bytes).ok()?,
            _ => return None,
        };
        if self.verdict.omit_managed_fields {
            omit_managed_fields(&mut object);
        }
        Some(object)
    }

    fn complete(mut self) {
        self.is_complete = true;
        self.reach(Stage::ResponseComplete);
    }

    fn reach(&mut self, stage: Stage) {
        if self.verdict.omit_stages.contains(&stage) {
            return;
        }
        self.event.stage = stage;
        self.event.stage_timestamp = match stage {
            Stage::RequestReceived => self.event.request_received_timestamp,
            _ => self.environment.now(),
        };
        self.auditor.keep(&self.event);
    }
}

impl Drop for Trail {
    /// The request was dropped halfway: it panicked, its time was up, or its client went.
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        let (stage, (code, reason, message)) = match thread::panicking() {
            true => (Stage::Panic, (500, "InternalError", "APIServer panic'd")),
            false => {
                let message = "the request ended before its response began";
                (Stage::ResponseComplete, (504, "Timeout", message))
            }
        };
        let status = ResponseStatus::failure(code, reason, message);
        self.event.response_status = Some(status);
        self.reach(stage);
    }
}

/// The event of a request, as far as the request itself tells.
fn described(level: Level, received: &Received, request: &Request, info: &RequestInfo) -> Event {
    let text = |name: HeaderName| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let id = received.id.to_str().unwrap_or_default();
    let mut event = Event::new(level, id, info, received.at);
    event.request_uri = request
        .uri()
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    event.user_agent = shortened(text(header::USER_AGENT).unwrap_or_default());
    let forwarded = text(HeaderName::from_static("x-forwarded-for")).unwrap_or_default();
    let proxied = forwarded.split(',').map(str::trim);
    let proxied = proxied.chain(text(HeaderName::from_static("x-real-ip")));
    event.source_ips = proxied
        .filter(|address| address.parse::<std::net::IpAddr>().is_ok())
        .map(str::to_owned)
        .collect();
    if let Some(Origin(origin)) = request.extensions().get() {
        let origin = origin.ip().to_canonical().to_string();
        if event.source_ips.last() != Some(&origin) {
            event.source_ips.push(origin);
        }
    }
    event
}

fn shortened(agent: &str) -> String {
    match agent.get(..LONGEST_AGENT) {
        Some(start) if agent.len() > LONGEST_AGENT => format!("{start}...TRUNCATED"),
        _ => agent.to_owned(),
    }
}

/// Of an object, a list, or a table.
fn omit_managed_fields(value: &mut Value) {
    let forget = |value: &mut Value| {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    };
    forget(value);
    for list in ["items", "rows"] {
        for item in value
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            match list {
                "rows" => item.get_mut("object").into_iter().for_each(forget),
                _ => forget(item),
            }
        }
    }
}

fn trace(
    info: &RequestInfo,
    user: &str,
    acting_as: &str,
    code: u16,
    annotations: Option<&Annotations>,
    start: Instant,
) {
    let micros = start.elapsed().as_micros() as u64;
    let annotations = annotations.map(tracing::field::debug);
    let resource = info.full_resource();
    let RequestInfo {
        verb,
        group,
        namespace,
        name,
        path,
        ..
    } = info;
    if code >= 500 {
        tracing::warn!(
            target: "audit", user, acting_as, %verb, group, resource, namespace, name, path, code, micros,
            annotations
        );
    } else {
        tracing::info!(
            target: "audit", user, acting_as, %verb, group, resource, namespace, name, path, code, micros,
            annotations
        );
    }
}

#[cfg(test)]
mod tests;
