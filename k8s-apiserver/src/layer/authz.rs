//! Lets through what the authorizer allows, and answers everything else with 403.

use std::sync::Arc;

use http::header;

use super::{Handler, Step, request_info::RequestInfo};
use crate::{
    ApiError, Request, Response, User, Verb,
    audit::Ledger,
    authz::{Attributes, Authorizer, Decision},
};

/// Asks the authorizer about each request.
#[derive(Clone)]
pub struct Authorize(pub Arc<dyn Authorizer>);

impl Step for Authorize {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let user = User::of(&request);
        let attributes = Attributes::of(&user, &info);
        let decision = self.0.authorize(&attributes).await;
        Ledger::note(&request, |notes| {
            let (word, reason) = match &decision {
                Decision::Allow(reason) => ("allow", reason),
                Decision::Deny(reason) | Decision::NoOpinion(reason) => ("forbid", reason),
            };
            let mut note = |key: &str, value: &str| {
                let key = format!("authorization.k8s.io/{key}");
                notes.annotations.insert(key, value.to_owned());
            };
            note("decision", word);
            note("reason", reason);
        });
        attributes.allowed_by(decision)?;
        if opens_stream(&info) && request.headers().contains_key(header::UPGRADE) {
            self.0
                .require(&Attributes {
                    verb: "create",
                    ..attributes
                })
                .await?;
        }
        Ok(next.run(request).await)
    }
}

/// A WebSocket opens with a GET, but a shell is no mere read: whoever opens one must be allowed to
/// create as well, as since Kubernetes 1.35 (AuthorizePodWebsocketUpgradeCreatePermission).
fn opens_stream(info: &RequestInfo) -> bool {
    let streams = ["exec", "attach", "portforward"];
    info.verb == Verb::Get
        && info.resource == "pods"
        && streams.contains(&info.subresource.as_str())
}
