//! Says who asked for what and what came of it: one `tracing` event with target `audit` per
//! request.
//!
//! A subscriber that listens to that target has an audit log; without one this costs next to
//! nothing. Events carry names, verbs and what admission annotated, never bodies. Failures are at `WARN` from 500 on,
//! everything else at `INFO`.

use std::time::Instant;

use super::{Handler, Step, impersonate, request_info::RequestInfo};
use crate::{ApiError, Request, Response, User, registry::Annotations};

/// Writes an audit event per request.
#[derive(Debug, Clone, Copy)]
pub struct Audit;

impl Step for Audit {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        if !tracing::enabled!(target: "audit", tracing::Level::WARN) {
            return Ok(next.run(request).await);
        }
        let info = RequestInfo::of(&request);
        let user = User::of(&request);
        let acting_as = impersonate::asked_for(request.headers())
            .unwrap_or_default()
            .to_owned();
        let start = Instant::now();
        let response = next.run(request).await;
        record(
            &info,
            &user.name,
            &acting_as,
            response.status().as_u16(),
            response.extensions().get(),
            start,
        );
        Ok(response)
    }
}

/// The event of a request that didn't get past authentication.
pub(super) fn refused(info: &RequestInfo) {
    record(info, "", "", 401, None, Instant::now());
}

fn record(
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
