//! `GET` of one object, or of a part of it.

use http::StatusCode;

use super::{Call, scale};
use crate::{
    ApiError, Response,
    registry::{Answer, Serves},
};

/// Answers with the object from the cache: bytes copied, the revision spliced in.
pub(crate) async fn get(call: &Call) -> Result<Response, ApiError> {
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let revision = call.info.param("resourceVersion");
    let stored = call
        .registry
        .fetch(&call.resource, namespace, name, revision)
        .await?
        .ok_or_else(|| ApiError::not_found(call.resource.name(), name))?;
    let answer = match &call.subresource {
        Some(subresource) if subresource.serves == Serves::Scale => {
            Answer::Tree(scale::of(&stored.entry.object()))
        }
        _ => Answer::Cached(stored),
    };
    call.respond(StatusCode::OK, &answer)
}
