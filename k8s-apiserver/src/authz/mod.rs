//! Who may do what: one question, asked of an [`Authorizer`].

pub mod bootstrap_policy;
pub mod chain;
pub mod node;
pub mod rbac;
pub mod review;
pub mod signer;

use async_trait::async_trait;

use crate::{ApiError, RequestInfo, User, Verb, error::GroupResource};

/// The question: may this user do this to that?
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What for: `get`, `impersonate`.
    pub verb: &'a str,
    /// Whether this is about a resource; otherwise only `path` counts.
    pub resource_request: bool,
    /// The resource's API group.
    pub group: &'a str,
    /// The resource, plural.
    pub resource: &'a str,
    /// Its subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty for all and for what is in none.
    pub namespace: &'a str,
    /// The object, or empty for a collection.
    pub name: &'a str,
    /// The path, if this is about no resource.
    pub path: &'a str,
    /// Which objects of a collection are asked for, as in the query; empty for all.
    pub field_selector: &'a str,
}

/// The answer, with a reason that people can read, possibly empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes, whatever others say.
    Allow(String),
    /// No, whatever others say.
    Deny(String),
    /// Not my business; if nobody allows it, it is denied.
    NoOpinion(String),
}

/// Answers the question.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Decides from the attributes alone, without side effects.
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision;
}

impl dyn Authorizer {
    /// Nothing if the answer is yes; else the 403 that says so in Kubernetes' words.
    pub async fn require(&self, attributes: &Attributes<'_>) -> Result<(), ApiError> {
        attributes.allowed_by(self.authorize(attributes).await)
    }
}

impl<'a> Attributes<'a> {
    /// A question about a resource, all else to be filled in.
    pub fn resource(user: &'a User) -> Self {
        Attributes {
            user,
            verb: "",
            resource_request: true,
            group: "",
            resource: "",
            subresource: "",
            namespace: "",
            name: "",
            path: "",
            field_selector: "",
        }
    }

    /// The question that a request puts.
    pub fn of(user: &'a User, info: &'a RequestInfo) -> Self {
        Attributes {
            user,
            verb: info.verb.as_str(),
            resource_request: info.resource_request,
            group: &info.group,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
            path: &info.path,
            field_selector: match info.verb {
                Verb::List | Verb::Watch | Verb::DeleteCollection => {
                    info.param("fieldSelector").unwrap_or_default()
                }
                _ => "",
            },
        }
    }

    /// Nothing if the answer is yes; else the 403 that says so.
    pub(crate) fn allowed_by(&self, decision: Decision) -> Result<(), ApiError> {
        match decision {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(self.forbidden(&reason)),
        }
    }

    /// `pods`, or with its subresource `pods/log`.
    fn full_resource(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    fn forbidden(&self, reason: &str) -> ApiError {
        let reason = if reason.is_empty() {
            String::new()
        } else {
            format!(": {reason}")
        };
        let Attributes {
            verb,
            group,
            namespace,
            path,
            ..
        } = self;
        let user = &self.user.name;
        if !self.resource_request {
            return ApiError::ForbiddenPath(format!(
                "User {user:?} cannot {verb} path {path:?}{reason}"
            ));
        }
        let scope = match *namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let resource = self.full_resource();
        ApiError::Forbidden {
            resource: GroupResource::new(*group, self.resource),
            name: self.name.to_owned(),
            detail: format!(
                "User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}{reason}"
            ),
        }
    }
}
