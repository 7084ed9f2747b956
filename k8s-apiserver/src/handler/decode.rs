//! From the bytes of a body to an object of the expected kind: parsed, normalised, without what the schema lacks.

use std::sync::Arc;

use bytes::Bytes;
use k8s_apimachinery::{
    Object, Value, api,
    scheme::{
        Gvk, Schema,
        codec::{self, Duplicate},
        normalise, protobuf, prune,
        strict::{self, StrictError},
    },
};

use super::{Call, negotiate::PROTOBUF};
use crate::{
    ApiError,
    error::GroupKind,
    registry::{FieldValidation, fault},
};

/// The media types of bodies, as `415` names them. Custom resources know the first two.
pub(super) const ACCEPTED: [&str; 3] = ["application/json", "application/yaml", PROTOBUF];

impl Call {
    /// The body as an object of this resource, in the form in which it is stored.
    pub(super) fn decode(&self, validation: FieldValidation) -> Result<Object, ApiError> {
        let gvk = self.resource.gvk(&self.info.version);
        let schema = self.wire_schema();
        let content_type = self.content_type();
        let object = self.decode_body(content_type, &gvk, schema.as_deref(), validation)?;
        Ok(self.stored_form(object))
    }

    /// The body as YAML, whatever its media type: what one manager applies.
    pub(super) fn decode_yaml(
        &self,
        gvk: &Gvk,
        schema: Option<&Schema>,
        validation: FieldValidation,
    ) -> Result<Object, ApiError> {
        self.decode_body(Some("application/yaml"), gvk, schema, validation)
    }

    /// Notes what the client is to be told about its body.
    pub(super) fn warn_all(&self, warnings: Vec<String>) {
        for warning in warnings {
            self.notices.warn(warning);
        }
    }

    fn decode_body(
        &self,
        content_type: Option<&str>,
        gvk: &Gvk,
        schema: Option<&Schema>,
        validation: FieldValidation,
    ) -> Result<Object, ApiError> {
        let (object, warnings) = object(&self.body, content_type, gvk, schema, validation)?;
        self.warn_all(warnings);
        Ok(object)
    }

    /// The structural schema of what clients of this path send and get.
    pub(super) fn wire_schema(&self) -> Option<Arc<Schema>> {
        match self.is_stored_form() {
            true => self.resource.schema().cloned(),
            false => self
                .resource
                .schema_of(&self.resource.gvk(&self.info.version)),
        }
    }

    /// The body as an object of another kind than the resource's: what is posted to a subresource.
    pub(super) fn decode_as(
        &self,
        gvk: &Gvk,
        validation: FieldValidation,
    ) -> Result<Object, ApiError> {
        let schema = Schema::builtin(gvk);
        self.decode_body(self.content_type(), gvk, schema.as_deref(), validation)
    }

    /// An object of this path's kind as it is stored.
    pub(super) fn stored_form(&self, object: Object) -> Object {
        self.resource
            .convert(object, &self.resource.row.storage_gvk())
    }
}

/// Reads an object of a kind. Unknown and repeated fields are refused, ignored, or reported beside the object, as
/// `validation` says.
pub(super) fn object(
    body: &Bytes,
    content_type: Option<&str>,
    gvk: &Gvk,
    schema: Option<&Schema>,
    validation: FieldValidation,
) -> Result<(Object, Vec<String>), ApiError> {
    let (value, duplicates) = parse(body, content_type, Some(gvk))?;
    let mut object = Object::from_value(value).map_err(|error| unrecognized(gvk, &error, body))?;
    check_kind(&mut object, gvk)?;
    let unknown = match schema {
        Some(schema) => conform(&mut object, gvk, schema)?,
        None => Vec::new(),
    };
    let warnings = verdict(&unknown, &duplicates, validation, |error| {
        cannot_be_handled(gvk, &gvk.kind, &error.to_string())
    })?;
    Ok((object, warnings))
}

/// Fills in what an object that is posted to a subresource leaves out, and checks it by the rules of its kind.
pub(super) fn complete(object: &mut Object, gvk: &Gvk, name: &str) -> Result<(), ApiError> {
    let rules = api::rules(gvk);
    let rules = rules.ok_or_else(|| ApiError::internal(format!("{gvk} has no rules")))?;
    rules.default(object);
    fault::invalid(
        GroupKind::new(&gvk.group, &gvk.kind),
        name,
        rules.validate(object),
    )
}

/// Brings an object into the form that is stored; answers with the paths of what had to be dropped.
pub(super) fn conform(
    object: &mut Object,
    gvk: &Gvk,
    schema: &Schema,
) -> Result<Vec<String>, ApiError> {
    let mut value = std::mem::take(object).into_value();
    normalise(schema, &mut value)
        .map_err(|errors| ApiError::BadRequest(errors.for_kind(&gvk.version, &gvk.kind)))?;
    let unknown = prune(schema, &mut value);
    *object = Object::from_value(value).map_err(ApiError::internal)?;
    Ok(unknown)
}

/// What becomes of unknown and repeated fields: nothing, warnings, or the end.
pub(super) fn verdict(
    unknown: &[String],
    duplicates: &[Duplicate],
    validation: FieldValidation,
    refuse: impl FnOnce(&StrictError) -> ApiError,
) -> Result<Vec<String>, ApiError> {
    match (strict::check(unknown, duplicates), validation) {
        (Ok(()), _) | (Err(_), FieldValidation::Ignore) => Ok(Vec::new()),
        (Err(error), FieldValidation::Warn) => Ok(error.faults().to_vec()),
        (Err(error), FieldValidation::Strict) => Err(refuse(&error)),
    }
}

/// A body as a tree of no particular kind.
pub(super) fn tree(body: &Bytes, content_type: Option<&str>) -> Result<Value, ApiError> {
    parse(body, content_type, None).map(|(value, _)| value)
}

fn parse(
    body: &Bytes,
    content_type: Option<&str>,
    gvk: Option<&Gvk>,
) -> Result<(Value, Vec<Duplicate>), ApiError> {
    let media_type = content_type.unwrap_or("application/json");
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let has_protobuf = gvk.is_none_or(protobuf::has_kind);
    let refuse = |error: &dyn std::fmt::Display| match gvk {
        Some(gvk) => unrecognized(gvk, error, body),
        None => ApiError::BadRequest(error.to_string()),
    };
    match media_type {
        "application/json" | "" => codec::decode_json(body).map_err(|error| refuse(&error)),
        "application/yaml" => codec::decode_yaml(body).map_err(|error| refuse(&error)),
        PROTOBUF if has_protobuf => match protobuf::decode(body) {
            // Fields of this form have numbers: those unknown are skipped, and none is there twice.
            Ok((_, value)) => Ok((value, Vec::new())),
            Err(error) => Err(refuse(&error)),
        },
        _ => Err(ApiError::UnsupportedMediaType {
            accepted: match has_protobuf {
                true => ACCEPTED.to_vec(),
                false => ACCEPTED[..2].to_vec(),
            },
        }),
    }
}

/// A body without kind and version is what the path says; one with others is refused.
fn check_kind(object: &mut Object, expected: &Gvk) -> Result<(), ApiError> {
    let (api_version, kind) = (object.api_version(), object.kind());
    if !kind.is_empty() && kind != expected.kind {
        let found = kind.to_owned();
        return Err(cannot_be_handled(
            expected,
            &found,
            &format!("no kind {found:?} is served here"),
        ));
    }
    if !api_version.is_empty() && api_version != expected.api_version() {
        return Err(ApiError::BadRequest(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            expected.api_version()
        )));
    }
    object.set_gvk(expected);
    Ok(())
}

fn cannot_be_handled(expected: &Gvk, found: &str, why: &str) -> ApiError {
    ApiError::BadRequest(format!(
        "{found} in version {:?} cannot be handled as a {}: {why}",
        expected.version, expected.kind
    ))
}

fn unrecognized(expected: &Gvk, why: &dyn std::fmt::Display, body: &[u8]) -> ApiError {
    ApiError::BadRequest(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({})",
        expected.kind,
        summary(body)
    ))
}

/// The beginning of a body that makes no sense.
fn summary(body: &[u8]) -> String {
    const LONGEST: usize = 30;
    match body {
        [] => "<empty>".to_owned(),
        [b'{', ..] => {
            let start = String::from_utf8_lossy(&body[..body.len().min(LONGEST)]);
            let more = if body.len() > LONGEST { " ..." } else { "" };
            format!("{start}{more}")
        }
        _ => {
            let hex = body.iter().take(LONGEST).map(|byte| format!("{byte:02x}"));
            let more = if body.len() > LONGEST { " ..." } else { "" };
            format!("{}{more}", hex.collect::<String>())
        }
    }
}
