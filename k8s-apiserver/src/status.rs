//! The one place that turns errors into `metav1.Status`.
//!
//! Codes, reasons, messages and details are Kubernetes' own: people and scripts match on them.

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    ApiError, Response, body,
    error::{Cause, GroupKind, GroupResource},
};

/// `metav1.Status`: what a client gets instead of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata,
    /// `Success` or `Failure`.
    pub status: &'static str,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For programs: `NotFound`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'static str,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// The HTTP status code again.
    #[serde(skip_serializing_if = "is_zero")]
    pub code: u16,
}

/// Empty, but for a page of a list that has expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Metadata {
    /// With which the rest of the list can be had.
    #[serde(rename = "continue", skip_serializing_if = "String::is_empty")]
    continue_token: String,
}

/// `metav1.StatusDetails`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The object's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its resource, or for failed validations its kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its uid: of the object that a delete removed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// One per field at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "is_zero_seconds")]
    pub retry_after_seconds: u64,
}

impl Status {
    /// A success, as deletes answer with; `details` says what was deleted.
    pub fn success(details: Details) -> Self {
        Status {
            status: "Success",
            message: String::new(),
            reason: "",
            details: Some(details),
            code: 0,
            ..BLANK
        }
    }

    /// The success of what was posted to a subresource: something was created, but there is no object to show.
    pub fn created() -> Self {
        Status {
            status: "Success",
            code: StatusCode::CREATED.as_u16(),
            ..BLANK
        }
    }

    /// A failure.
    pub fn failure(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Status {
            status: "Failure",
            message: message.into(),
            reason,
            code: code.as_u16(),
            ..BLANK
        }
    }

    fn about(mut self, details: Details) -> Self {
        self.details = Some(details);
        self
    }

    /// The Status as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a Status is plain strings and numbers")
    }
}

const BLANK: Status = Status {
    kind: "Status",
    api_version: "v1",
    metadata: Metadata {
        continue_token: String::new(),
    },
    status: "",
    message: String::new(),
    reason: "",
    details: None,
    code: 0,
};

impl From<&ApiError> for Status {
    fn from(error: &ApiError) -> Self {
        let failure = |code, reason| Status::failure(code, reason, error.to_string());
        match error {
            ApiError::BadRequest(_) => failure(StatusCode::BAD_REQUEST, "BadRequest"),
            ApiError::Unauthorized => failure(StatusCode::UNAUTHORIZED, "Unauthorized"),
            ApiError::Forbidden { resource, name, .. } => {
                failure(StatusCode::FORBIDDEN, "Forbidden").about(object(resource, name))
            }
            ApiError::ForbiddenFor {
                resource,
                name,
                cause,
                ..
            } => failure(StatusCode::FORBIDDEN, "Forbidden").about(Details {
                causes: vec![Cause::new(*cause, "", "")],
                ..object(resource, name)
            }),
            ApiError::NamespaceTerminating {
                resource,
                name,
                namespace,
            } => failure(StatusCode::FORBIDDEN, "Forbidden").about(Details {
                causes: vec![Cause::new(
                    "NamespaceTerminating",
                    format!("namespace {namespace} is being terminated"),
                    "metadata.namespace",
                )],
                ..object(resource, name)
            }),
            ApiError::ForbiddenPath(_) => {
                failure(StatusCode::FORBIDDEN, "Forbidden").about(Details::default())
            }
            ApiError::NotFound { resource, name } => {
                failure(StatusCode::NOT_FOUND, "NotFound").about(object(resource, name))
            }
            ApiError::NoSuchResource => {
                failure(StatusCode::NOT_FOUND, "NotFound").about(Details::default())
            }
            ApiError::MethodNotAllowed => {
                failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed")
                    .about(Details::default())
            }
            ApiError::NotAcceptable { .. } => failure(StatusCode::NOT_ACCEPTABLE, "NotAcceptable"),
            ApiError::AlreadyExists { resource, name } => {
                failure(StatusCode::CONFLICT, "AlreadyExists").about(object(resource, name))
            }
            ApiError::Conflict { resource, name, .. } => {
                failure(StatusCode::CONFLICT, "Conflict").about(object(resource, name))
            }
            ApiError::ApplyConflict { causes } => {
                failure(StatusCode::CONFLICT, "Conflict").about(Details {
                    causes: causes.to_vec(),
                    ..Details::default()
                })
            }
            ApiError::Expired(_) => failure(StatusCode::GONE, "Expired"),
            ApiError::ExpiredPage { continue_token } => Status {
                metadata: Metadata {
                    continue_token: continue_token.clone(),
                },
                ..failure(StatusCode::GONE, "Expired")
            },
            ApiError::FutureRevision { .. } => failure(StatusCode::GATEWAY_TIMEOUT, "Timeout")
                .about(Details {
                    causes: vec![Cause::new(
                        "ResourceVersionTooLarge",
                        "Too large resource version",
                        "",
                    )],
                    retry_after_seconds: 1,
                    ..Details::default()
                }),
            ApiError::TooLarge(_) => {
                failure(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
            }
            ApiError::UnsupportedMediaType { .. } => {
                failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType")
            }
            ApiError::Invalid { kind, name, causes } => {
                failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid")
                    .about(invalid(kind, name, causes))
            }
            ApiError::TooManyRequests { retry_after, .. } => {
                let seconds = retry_after.as_secs_f64().ceil() as u64;
                failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests").about(Details {
                    retry_after_seconds: seconds.max(1),
                    ..Details::default()
                })
            }
            ApiError::DisruptionBudget {
                detail,
                retry_after,
            } => failure(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests").about(Details {
                causes: vec![Cause::new("DisruptionBudget", detail, "")],
                retry_after_seconds: retry_after.as_secs(),
                ..Details::default()
            }),
            // The mistake is the budgets', so there is no reason that a client could act on.
            ApiError::ManyBudgets => failure(StatusCode::INTERNAL_SERVER_ERROR, ""),
            ApiError::ServiceUnavailable(_) => {
                failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
            }
            ApiError::Timeout(_) => {
                failure(StatusCode::GATEWAY_TIMEOUT, "Timeout").about(Details::default())
            }
            ApiError::Exhausted(detail) => {
                failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError").about(Details {
                    causes: vec![Cause::new("", detail, "")],
                    ..Details::default()
                })
            }
            // The detail may hold paths or secrets: it is logged by `into_response`, and stays
            // here.
            ApiError::Internal(_) => Status::failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "Internal error occurred",
            ),
        }
    }
}

impl ApiError {
    /// The HTTP response: the Status as JSON, with `Retry-After` where there is something to wait
    /// for.
    pub fn into_response(self) -> Response {
        if let ApiError::Internal(detail) = &self {
            tracing::error!(%detail, "request failed");
        }
        Status::from(&self).into_response()
    }
}

impl Status {
    /// The HTTP response with the Status' own code, 200 for a success. It carries the Status itself as an extension, for
    /// whoever writes it in another form.
    pub fn into_response(self) -> Response {
        let mut response = Response::new(body::full(self.to_bytes()));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(Details {
            retry_after_seconds: seconds @ 1..,
            ..
        }) = &self.details
        {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Response {
        error.into_response()
    }
}

fn object(resource: &GroupResource, name: &str) -> Details {
    Details {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.resource.clone(),
        ..Details::default()
    }
}

fn invalid(kind: &GroupKind, name: &str, causes: &[Cause]) -> Details {
    Details {
        name: name.to_owned(),
        group: kind.group.clone(),
        kind: kind.kind.clone(),
        causes: causes.to_vec(),
        ..Details::default()
    }
}

fn is_zero(code: &u16) -> bool {
    *code == 0
}

fn is_zero_seconds(seconds: &u64) -> bool {
    *seconds == 0
}

#[cfg(test)]
mod tests;
