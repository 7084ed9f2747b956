//! Questions about permissions, as resources: `kubectl auth can-i` and `kubectl auth whoami` post
//! these.
//!
//! They are created and answered at once, never stored. [`Reviewer::answer`] takes the posted
//! object and returns it with its status; the functions behind it know no HTTP.

use std::sync::Arc;

use k8s_apimachinery::{Object, api, scheme::gvk::Gvk};
use k8s_openapi::api::{
    authentication::v1::{SelfSubjectReviewStatus, UserInfo},
    authorization::v1::{
        FieldSelectorAttributes, NonResourceAttributes, NonResourceRule, ResourceAttributes,
        ResourceRule, SelfSubjectAccessReviewSpec, SelfSubjectRulesReviewSpec,
        SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Attributes, Authorizer, Decision,
    rbac::{self, RuleSource},
};
use crate::{
    ApiError, User,
    error::{Cause, GroupKind},
};

/// Answers reviews by the server's own authorizer and rules.
#[derive(Clone)]
pub struct Reviewer {
    /// Decides.
    pub authorizer: Arc<dyn Authorizer>,
    /// Lists the rules of a user, for `kubectl auth can-i --list`.
    pub rules: Arc<dyn RuleSource>,
}

impl Reviewer {
    /// The posted review with its status; `None` if the resource is no review.
    ///
    /// `namespace` is the request's, which only a `localsubjectaccessreview` has.
    pub async fn answer(
        &self,
        resource: &str,
        namespace: &str,
        asker: &User,
        mut review: Map<String, Value>,
    ) -> Option<Result<Map<String, Value>, ApiError>> {
        let kind = match resource {
            "selfsubjectaccessreviews" => "SelfSubjectAccessReview",
            "subjectaccessreviews" => "SubjectAccessReview",
            "localsubjectaccessreviews" => "LocalSubjectAccessReview",
            _ => "",
        };
        if let Err(fault) = complete(&mut review, kind, namespace) {
            return Some(Err(fault));
        }
        let spec = review
            .get("spec")
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new()));
        let status = match resource {
            "selfsubjectaccessreviews" => self.self_access(asker, spec).await,
            "subjectaccessreviews" | "localsubjectaccessreviews" => self.access(spec).await,
            "selfsubjectrulesreviews" => self.self_rules(asker, spec),
            "selfsubjectreviews" => tree(&who_am_i(asker)),
            _ => return None,
        };
        Some(status.map(|status| {
            review.insert("status".to_owned(), status);
            review
        }))
    }

    async fn self_access(&self, asker: &User, spec: Value) -> Result<Value, ApiError> {
        let spec: SelfSubjectAccessReviewSpec = typed(spec)?;
        let what = target_of(&spec.resource_attributes, &spec.non_resource_attributes)?;
        tree(&may(&*self.authorizer, asker, what).await)
    }

    async fn access(&self, spec: Value) -> Result<Value, ApiError> {
        let spec: SubjectAccessReviewSpec = typed(spec)?;
        let what = target_of(&spec.resource_attributes, &spec.non_resource_attributes)?;
        let subject = User {
            name: spec.user.clone().unwrap_or_default(),
            uid: spec.uid.clone().unwrap_or_default(),
            groups: spec.groups.clone().unwrap_or_default(),
            extra: spec.extra.clone().unwrap_or_default(),
        };
        tree(&may(&*self.authorizer, &subject, what).await)
    }

    fn self_rules(&self, asker: &User, spec: Value) -> Result<Value, ApiError> {
        let spec: SelfSubjectRulesReviewSpec = typed(spec)?;
        match spec.namespace.as_deref().unwrap_or_default() {
            "" => Err(ApiError::BadRequest("no namespace on request".to_owned())),
            namespace => {
                let mut status = rules(&*self.rules, asker, namespace);
                if asker.as_node().is_some() {
                    status.incomplete = true;
                    let also = "node authorizer does not support user rule resolution";
                    let errors = status.evaluation_error.into_iter().chain([also.to_owned()]);
                    status.evaluation_error = Some(errors.collect::<Vec<_>>().join(", "));
                }
                tree(&status)
            }
        }
    }
}

/// What is asked about: a resource or a path.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A verb on a resource.
    Resource(&'a ResourceAttributes),
    /// A verb on a path.
    Path(&'a NonResourceAttributes),
}

/// Whether a user may do something.
pub async fn may(
    authorizer: &dyn Authorizer,
    user: &User,
    target: Target<'_>,
) -> SubjectAccessReviewStatus {
    let selector = match target {
        Target::Resource(of) => of.field_selector.as_ref().map(selector_text),
        Target::Path(_) => None,
    };
    let attributes = match target {
        Target::Resource(of) => Attributes {
            field_selector: selector.as_deref().unwrap_or_default(),
            verb: text(&of.verb),
            group: text(&of.group),
            resource: text(&of.resource),
            subresource: text(&of.subresource),
            namespace: text(&of.namespace),
            name: text(&of.name),
            ..Attributes::resource(user)
        },
        Target::Path(of) => Attributes {
            resource_request: false,
            verb: text(&of.verb),
            path: text(&of.path),
            ..Attributes::resource(user)
        },
    };
    let (allowed, denied, reason) = match authorizer.authorize(&attributes).await {
        Decision::Allow(reason) => (true, None, reason),
        Decision::Deny(reason) => (false, Some(true), reason),
        Decision::NoOpinion(reason) => (false, None, reason),
    };
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    SubjectAccessReviewStatus {
        allowed,
        denied,
        reason,
        evaluation_error: None,
    }
}

/// A selector as a query has it. What has no such form restricts nothing, which never allows more.
fn selector_text(selector: &FieldSelectorAttributes) -> String {
    if let Some(raw) = &selector.raw_selector {
        return raw.clone();
    }
    let requirements = selector.requirements.iter().flatten();
    let terms = requirements.filter_map(|requirement| {
        let [value] = requirement.values.as_deref()? else {
            return None;
        };
        let comparison = match requirement.operator.as_str() {
            "In" => "=",
            "NotIn" => "!=",
            _ => return None,
        };
        Some(format!("{}{comparison}{value}", requirement.key))
    });
    terms.collect::<Vec<_>>().join(",")
}

/// All that a user may do in a namespace.
pub fn rules(source: &dyn RuleSource, user: &User, namespace: &str) -> SubjectRulesReviewStatus {
    let (rules, missing) = rbac::rules_for(source, user, namespace);
    let mut status = SubjectRulesReviewStatus {
        evaluation_error: Some(missing).filter(|missing| !missing.is_empty()),
        ..SubjectRulesReviewStatus::default()
    };
    for rule in rules {
        if rule.non_resource_urls.is_some() {
            let rule = NonResourceRule {
                non_resource_urls: rule.non_resource_urls,
                verbs: rule.verbs,
            };
            status.non_resource_rules.push(rule);
        } else {
            status.resource_rules.push(ResourceRule {
                api_groups: rule.api_groups,
                resource_names: rule.resource_names,
                resources: rule.resources,
                verbs: rule.verbs,
            });
        }
    }
    status
}

/// Who the server thinks the user is.
pub fn who_am_i(user: &User) -> SelfSubjectReviewStatus {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    SelfSubjectReviewStatus {
        user_info: Some(UserInfo {
            username: some(&user.name),
            uid: some(&user.uid),
            groups: Some(user.groups.clone()).filter(|groups| !groups.is_empty()),
            extra: Some(user.extra.clone()).filter(|extra| !extra.is_empty()),
        }),
    }
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

/// Checked before; a question about nothing gets no answer.
fn target_of<'a>(
    resource: &'a Option<ResourceAttributes>,
    path: &'a Option<NonResourceAttributes>,
) -> Result<Target<'a>, ApiError> {
    let resource = resource.as_ref().map(Target::Resource);
    let target = resource.or(path.as_ref().map(Target::Path));
    target.ok_or_else(|| ApiError::BadRequest("the review asks about nothing".to_owned()))
}

/// Puts a local review into the namespace of its path, and refuses what is no question.
fn complete(review: &mut Map<String, Value>, kind: &str, namespace: &str) -> Result<(), ApiError> {
    let Some(rules) = api::rules(&Gvk::new(GROUP, "v1", kind)) else {
        return Ok(());
    };
    let mut object = Object::from(std::mem::take(review));
    if rules.is_namespaced() {
        if object.namespace().is_empty() {
            object.set(&["metadata", "namespace"], namespace.into());
        }
        if object.namespace() != namespace {
            return Err(ApiError::BadRequest(format!(
                "spec.resourceAttributes.namespace must match namespace: {namespace}"
            )));
        }
    }
    let faults = api::collect(&object, |root| rules.check(root));
    *review = object.as_map().clone();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Invalid {
            kind: GroupKind::new(GROUP, kind),
            name: String::new(),
            causes: faults
                .iter()
                .map(|fault| Cause::new(fault.reason(), fault.message(), &fault.field))
                .collect(),
        }),
    }
}

const GROUP: &str = "authorization.k8s.io";

fn typed<T: DeserializeOwned>(spec: Value) -> Result<T, ApiError> {
    serde_json::from_value(spec)
        .map_err(|error| ApiError::BadRequest(format!("cannot read the review: {error}")))
}

fn tree(status: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(status).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests;
