//! `POST`: a new object, or a review to be answered.

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, request::Parts};
use k8s_apimachinery::scheme::gvk::Gvk;

use super::{AnswerKind, Call, Format, Offer, decode, respond};
use crate::{
    ApiError, RequestInfo, Response, User,
    audit::Made,
    registry::{FieldValidation, Registry, VirtualResource},
};

/// Creates the object in the body.
pub(crate) async fn create(call: &Call) -> Result<Response, ApiError> {
    let options = call.write_options()?;
    let object = call.decode(options.field_validation)?;
    let write = call.write(&options);
    let answer = call.registry.create(&write, &object).await?;
    let mut response = call.respond(StatusCode::CREATED, &answer)?;
    if let Some(entry) = answer.entry() {
        let name = entry.name().to_owned();
        response.extensions_mut().insert(Made { name });
    }
    Ok(response)
}

/// Answers the review in the body; nothing is stored.
pub(crate) async fn create_virtual(
    registry: &Registry,
    resource: &VirtualResource,
    info: &RequestInfo,
    user: &Arc<User>,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response, ApiError> {
    let gvk = Gvk::new(&resource.row.group, &info.version, &resource.row.kind);
    let offer = Offer::new(&gvk, AnswerKind::Document);
    let encoding = Format::negotiate(&parts.headers, info, offer)?.encoding;
    let content_type = parts.headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let validation = FieldValidation::Ignore;
    let (object, _) = decode::object(body, content_type, &gvk, None, validation)?;
    let answer = resource
        .service
        .create(registry, user, info, object)
        .await?;
    let bytes = respond::encode(&answer.into_value(), encoding)?;
    Ok(respond::respond(StatusCode::CREATED, bytes, encoding))
}
