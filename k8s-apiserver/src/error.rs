//! Why a request is refused, as things that a client can act on.
//!
//! Handlers return these; [`crate::status`] turns each into the `metav1.Status` that Kubernetes
//! would send.

use std::{borrow::Cow, collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

/// A resource and its API group; prints as `deployments.apps`, or `pods` in the core group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GroupResource {
    /// The API group, empty for the core group.
    pub group: String,
    /// The plural resource name.
    pub resource: String,
}

/// A kind and its API group; prints as `Deployment.apps`, or `Pod` in the core group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GroupKind {
    /// The API group, empty for the core group.
    pub group: String,
    /// The kind, in CamelCase.
    pub kind: String,
}

/// One reason among several, of a failed validation or of an apply conflict: `metav1.StatusCause`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Machine-readable: `FieldValueRequired`, `FieldManagerConflict`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is wrong, without the field: `Required value`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Where: `spec.containers[0].image`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

/// Every way in which the server says no.
///
/// Its `Display` is the message that the client reads, except for [`ApiError::Internal`], whose
/// detail stays here.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// 400: the request makes no sense.
    BadRequest(String),
    /// 401: no credentials, or bad ones.
    Unauthorized,
    /// 403: the user may not do this to that; `detail` says who and why.
    Forbidden {
        /// The resource asked for.
        resource: GroupResource,
        /// The object asked for, empty for a collection.
        name: String,
        /// Goes after `is forbidden: `.
        detail: String,
    },
    /// 403, for a reason that clients know by its cause.
    ForbiddenFor {
        /// The resource asked for.
        resource: GroupResource,
        /// The object asked for.
        name: String,
        /// Goes after `is forbidden: `.
        detail: String,
        /// The cause's type.
        cause: &'static str,
    },
    /// 403: nothing new comes into a namespace that is going; clients know it by its cause.
    NamespaceTerminating {
        /// What was to be created.
        resource: GroupResource,
        /// Its name.
        name: String,
        /// Where.
        namespace: String,
    },
    /// 403: the user may not use this path, which is no resource's.
    ForbiddenPath(String),
    /// 404: no such object.
    NotFound {
        /// The resource asked for.
        resource: GroupResource,
        /// The object asked for.
        name: String,
    },
    /// 404: no such path, group, version or resource.
    NoSuchResource,
    /// 405: the resource doesn't serve this verb.
    MethodNotAllowed,
    /// 406: nothing that the client accepts can be produced.
    NotAcceptable {
        /// The media types that can be.
        offered: Vec<&'static str>,
    },
    /// 409: the object is there already.
    AlreadyExists {
        /// The resource asked for.
        resource: GroupResource,
        /// The object that was to be created.
        name: String,
    },
    /// 409: someone else was first; `detail` says at what.
    Conflict {
        /// The resource asked for.
        resource: GroupResource,
        /// The object that was to be changed.
        name: String,
        /// Goes after `Operation cannot be fulfilled on ...: `.
        detail: String,
    },
    /// 409: a server-side apply meets fields that others own.
    ApplyConflict {
        /// One per field; the message is `conflict with "manager" using apps/v1`.
        causes: Vec<Cause>,
    },
    /// 410: the revision asked for is compacted.
    Expired(String),
    /// 410: the list that a page belongs to is compacted; the rest can be had as it is now.
    ExpiredPage {
        /// With which to go on.
        continue_token: String,
    },
    /// 413: the body is too large, or asks for too much.
    TooLarge(Cow<'static, str>),
    /// 415: the body's media type isn't understood.
    UnsupportedMediaType {
        /// The media types that are.
        accepted: Vec<&'static str>,
    },
    /// 422: the object fails validation.
    Invalid {
        /// What it is.
        kind: GroupKind,
        /// Which one, possibly empty.
        name: String,
        /// One per field at fault.
        causes: Vec<Cause>,
    },
    /// 429: come back later.
    TooManyRequests {
        /// What there is too much of.
        message: String,
        /// How long to stay away; sent rounded up to seconds.
        retry_after: Duration,
    },
    /// 429: a disruption budget doesn't allow an eviction now; clients know it by its cause.
    DisruptionBudget {
        /// Which budget, and why.
        detail: String,
        /// How long to stay away; zero leaves that to the client.
        retry_after: Duration,
    },
    /// 500: several disruption budgets cover the pod that is to be evicted.
    ManyBudgets,
    /// 503: not ready, or shutting down.
    ServiceUnavailable(String),
    /// 504: the revision asked for is yet to come; clients know it by its cause.
    FutureRevision {
        /// What was asked for.
        requested: u64,
        /// The newest there is.
        current: u64,
    },
    /// 504: the request's time is up.
    Timeout(String),
    /// 500: there is no more of what the server gives out. Unlike other details of its own, this one is for the client.
    Exhausted(String),
    /// 500: not the client's fault. The detail is for the log.
    Internal(String),
}

/// The sentences of a page whose list has expired.
const INCONSISTENT: &str = "The provided continue parameter is too old to display a consistent list result. You can \
                            start a new list without the continue parameter, or use the continue token in this response \
                            to retrieve the remainder of the results. Continuing with the provided token results in an \
                            inconsistent list - objects that were created, modified, or deleted between the time the \
                            first chunk was returned and now may show up in the list.";

/// The sentence of a lost race on `resourceVersion`.
const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl ApiError {
    /// The object was changed between the client's read and its write.
    pub fn modified(resource: GroupResource, name: impl Into<String>) -> Self {
        ApiError::Conflict {
            resource,
            name: name.into(),
            detail: MODIFIED.to_owned(),
        }
    }

    /// No object of that name.
    pub fn not_found(resource: GroupResource, name: impl Into<String>) -> Self {
        ApiError::NotFound {
            resource,
            name: name.into(),
        }
    }

    /// An object of that name exists.
    pub fn already_exists(resource: GroupResource, name: impl Into<String>) -> Self {
        ApiError::AlreadyExists {
            resource,
            name: name.into(),
        }
    }

    /// Something failed that the client can't mend.
    pub fn internal(error: impl fmt::Display) -> Self {
        ApiError::Internal(error.to_string())
    }
}

impl GroupResource {
    /// `pods` is `GroupResource::new("", "pods")`.
    pub fn new(group: impl Into<String>, resource: impl Into<String>) -> Self {
        GroupResource {
            group: group.into(),
            resource: resource.into(),
        }
    }
}

impl GroupKind {
    /// `Pod` is `GroupKind::new("", "Pod")`.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        GroupKind {
            group: group.into(),
            kind: kind.into(),
        }
    }
}

impl Cause {
    /// A cause: `Cause::new("FieldValueRequired", "Required value", "spec.selector")`.
    pub fn new(
        reason: impl Into<String>,
        message: impl Into<String>,
        field: impl Into<String>,
    ) -> Self {
        Cause {
            reason: reason.into(),
            message: message.into(),
            field: field.into(),
        }
    }
}

impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        qualified(f, &self.resource, &self.group)
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        qualified(f, &self.kind, &self.group)
    }
}

fn qualified(f: &mut fmt::Formatter<'_>, name: &str, group: &str) -> fmt::Result {
    match group {
        "" => f.write_str(name),
        group => write!(f, "{name}.{group}"),
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiError::BadRequest(message)
            | ApiError::Expired(message)
            | ApiError::TooManyRequests { message, .. }
            | ApiError::ServiceUnavailable(message) => f.write_str(message),
            ApiError::DisruptionBudget { .. } => {
                f.write_str("Cannot evict pod as it would violate the pod's disruption budget.")
            }
            ApiError::ManyBudgets => f.write_str(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ),
            ApiError::ExpiredPage { .. } => f.write_str(INCONSISTENT),
            ApiError::FutureRevision { requested, current } => write!(
                f,
                "Timeout: Too large resource version: {requested}, current: {current}"
            ),
            ApiError::Unauthorized => f.write_str("Unauthorized"),
            ApiError::Forbidden {
                resource,
                name,
                detail,
            } if name.is_empty() => {
                write!(f, "{resource} is forbidden: {detail}")
            }
            ApiError::Forbidden {
                resource,
                name,
                detail,
            }
            | ApiError::ForbiddenFor {
                resource,
                name,
                detail,
                ..
            } => {
                write!(f, "{resource} {name:?} is forbidden: {detail}")
            }
            ApiError::NamespaceTerminating {
                resource,
                name,
                namespace,
            } => write!(
                f,
                "{resource} {name:?} is forbidden: unable to create new content in namespace {namespace} because it \
                 is being terminated"
            ),
            ApiError::ForbiddenPath(detail) => write!(f, "forbidden: {detail}"),
            ApiError::NotFound { resource, name } => write!(f, "{resource} {name:?} not found"),
            ApiError::NoSuchResource => {
                f.write_str("the server could not find the requested resource")
            }
            ApiError::MethodNotAllowed => {
                f.write_str("the server does not allow this method on the requested resource")
            }
            ApiError::NotAcceptable { offered } => {
                write!(
                    f,
                    "only the following media types are accepted: {}",
                    offered.join(", ")
                )
            }
            ApiError::AlreadyExists { resource, name } => {
                write!(f, "{resource} {name:?} already exists")
            }
            ApiError::Conflict {
                resource,
                name,
                detail,
            } => {
                write!(
                    f,
                    "Operation cannot be fulfilled on {resource} {name:?}: {detail}"
                )
            }
            ApiError::ApplyConflict { causes } => apply_conflict(f, causes),
            ApiError::TooLarge(why) => write!(f, "Request entity too large: {why}"),
            ApiError::UnsupportedMediaType { accepted } => write!(
                f,
                "the body of the request was in an unknown format - accepted media types include: {}",
                accepted.join(", ")
            ),
            ApiError::Invalid { kind, name, causes } => invalid(f, kind, name, causes),
            ApiError::Timeout(message) => write!(f, "Timeout: {message}"),
            ApiError::Exhausted(detail) | ApiError::Internal(detail) => {
                write!(f, "Internal error occurred: {detail}")
            }
        }
    }
}

/// `Deployment.apps "web" is invalid: [spec.selector: Required value, ...]`; the brackets only
/// round several.
fn invalid(
    f: &mut fmt::Formatter<'_>,
    kind: &GroupKind,
    name: &str,
    causes: &[Cause],
) -> fmt::Result {
    write!(f, "{kind} {name:?} is invalid")?;
    let lines: Vec<String> = causes.iter().map(Cause::to_string).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [one] => write!(f, ": {one}"),
        several => write!(f, ": [{}]", several.join(", ")),
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// One conflict on one line; several grouped by manager, each field on a line of its own.
fn apply_conflict(f: &mut fmt::Formatter<'_>, causes: &[Cause]) -> fmt::Result {
    if let [only] = causes {
        return write!(
            f,
            "Apply failed with 1 conflict: {}: {}",
            only.message, only.field
        );
    }
    let mut by_manager = BTreeMap::<&str, Vec<&str>>::new();
    for cause in causes {
        let manager = cause
            .message
            .strip_prefix("conflict with ")
            .unwrap_or(&cause.message);
        by_manager.entry(manager).or_default().push(&cause.field);
    }
    let groups: Vec<String> = by_manager
        .iter()
        .map(|(manager, fields)| format!("conflicts with {manager}:\n- {}", fields.join("\n- ")))
        .collect();
    write!(
        f,
        "Apply failed with {} conflicts: {}",
        causes.len(),
        groups.join("\n")
    )
}
