//! `PATCH`: changes an object by a description of the change, in one of four languages.

use http::StatusCode;
use k8s_apimachinery::{
    Object, Value,
    patch::{self, PatchError},
};

use super::{Call, apply, decode, scale};
use crate::{
    ApiError, Response,
    error::Cause,
    registry::{Answer, Missing, Tracking, WriteOptions},
};

/// The languages of patches, by media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, which knows lists with keys.
    Strategic,
    /// Server-side apply.
    Apply,
}

/// The media types of patches, as `415` names them.
const ACCEPTED: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Changes the object, or its scale, as the body says.
pub(crate) async fn patch(call: &Call) -> Result<Response, ApiError> {
    let language = language(call.content_type())?;
    let options = call.write_options()?;
    if language == Language::Apply {
        return apply::apply(call, &options).await;
    }
    if options.force {
        return Err(ApiError::BadRequest(
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch"
                .to_owned(),
        ));
    }
    // The body is JSON in all three; YAML is for apply alone.
    let document = decode::tree(&call.body, Some("application/json"))?;
    let is_scale = call.is_scale();
    let change = |current: Option<&Object>| {
        let current =
            current.ok_or_else(|| ApiError::not_found(call.resource.name(), &call.info.name))?;
        if is_scale {
            let scale = patched(call, &scale::of(current), &document, language)?;
            return scale::onto(&scale, current);
        }
        let seen = call.wire_object(current.clone());
        let mut new = patched(call, &seen, &document, language)?;
        check(call, &mut new, &document, &options)?;
        Ok(call.stored_form(new))
    };
    let write = call.write(&options);
    let updated = call
        .registry
        .update(&write, &change, Missing::NotFound, Tracking::Update)
        .await?;
    let answer = match is_scale {
        true => Answer::Tree(scale::of(&updated.answer.object())),
        false => updated.answer,
    };
    call.respond(StatusCode::OK, &answer)
}

fn language(content_type: Option<&str>) -> Result<Language, ApiError> {
    let media_type = content_type.unwrap_or_default();
    match media_type.split(';').next().unwrap_or_default().trim() {
        "application/json-patch+json" => Ok(Language::Json),
        "application/merge-patch+json" => Ok(Language::Merge),
        "application/strategic-merge-patch+json" => Ok(Language::Strategic),
        "application/apply-patch+yaml" => Ok(Language::Apply),
        _ => Err(ApiError::UnsupportedMediaType {
            accepted: ACCEPTED.to_vec(),
        }),
    }
}

/// The object with the patch applied.
fn patched(
    call: &Call,
    current: &Object,
    document: &Value,
    language: Language,
) -> Result<Object, ApiError> {
    let mut value = current.clone().into_value();
    match language {
        Language::Json => {
            patch::json::apply(&mut value, document).map_err(|error| refused(call, error))?;
        }
        Language::Merge => patch::merge::apply(&mut value, document),
        Language::Strategic | Language::Apply => {
            let schema = call
                .wire_schema()
                .ok_or_else(|| ApiError::UnsupportedMediaType {
                    accepted: ACCEPTED[..2].to_vec(),
                })?;
            patch::strategic::apply(&mut value, document, &schema)
                .map_err(|error| refused(call, error))?;
        }
    }
    let mut patched =
        Object::from_value(value).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    let gvk = current.gvk();
    if patched.kind() != gvk.kind || patched.api_version() != gvk.api_version() {
        patched.set_gvk(&gvk);
    }
    Ok(patched)
}

fn refused(call: &Call, error: PatchError) -> ApiError {
    let message = error.to_string();
    match error {
        PatchError::Malformed(_) => ApiError::BadRequest(message),
        PatchError::TooManyOperations { .. } => ApiError::TooLarge(message.into()),
        _ => ApiError::Invalid {
            kind: call.resource.group_kind(),
            name: call.info.name.clone(),
            causes: vec![Cause::new("", message, "")],
        },
    }
}

/// Brings the patched object into the form that is stored; unknown fields are the patch's fault.
fn check(
    call: &Call,
    new: &mut Object,
    document: &Value,
    options: &WriteOptions,
) -> Result<(), ApiError> {
    let Some(schema) = call.wire_schema() else {
        return Ok(());
    };
    let gvk = call.resource.gvk(&call.info.version);
    let unknown = decode::conform(new, &gvk, &schema)?;
    let warnings = decode::verdict(&unknown, &[], options.field_validation, |error| {
        ApiError::Invalid {
            kind: call.resource.group_kind(),
            name: call.info.name.clone(),
            causes: vec![Cause::new(
                "FieldValueInvalid",
                format!("Invalid value: {:?}: {error}", document.to_string()),
                "patch",
            )],
        }
    })?;
    call.warn_all(warnings);
    Ok(())
}
