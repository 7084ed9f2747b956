//! `PUT`: replaces an object, or a part of it.

use http::StatusCode;
use k8s_apimachinery::Object;

use super::{Call, scale};
use crate::{
    ApiError, Response,
    registry::{Missing, Tracking},
};

/// Replaces what is there by the body.
pub(crate) async fn update(call: &Call) -> Result<Response, ApiError> {
    let options = call.write_options()?;
    if call.is_scale() {
        return scale::update(call, &options).await;
    }
    let object = call.decode(options.field_validation)?;
    let missing = match call.resource.row.create_on_update && call.subresource.is_none() {
        true => Missing::Create,
        false => Missing::NotFound,
    };
    let replace = |_: Option<&Object>| Ok(object.clone());
    let write = call.write(&options);
    let updated = call
        .registry
        .update(&write, &replace, missing, Tracking::Update)
        .await?;
    let status = match updated.created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    call.respond(status, &updated.answer)
}
