//! Role-based access control: roles are lists of rules, bindings give roles to subjects, and
//! nothing denies.
//!
//! Evaluation is pure. Where roles and bindings come from is a [`RuleSource`]; the server's own
//! reads them from the watch cache, so a change takes effect with the write that makes it.

mod cached;
pub mod escalation;
mod memory;

use std::{ops::ControlFlow, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

pub use cached::{CachedRules, Objects};
pub use memory::MemoryRules;

use super::{Attributes, Authorizer, Decision};
use crate::{User, user::MASTERS};

/// Where roles and bindings are found, parsed and shared.
pub trait RuleSource: Send + Sync + 'static {
    /// All cluster-wide bindings.
    fn cluster_role_bindings(&self) -> Vec<Arc<ClusterRoleBinding>>;
    /// The bindings of one namespace.
    fn role_bindings(&self, namespace: &str) -> Vec<Arc<RoleBinding>>;
    /// A cluster-wide role.
    fn cluster_role(&self, name: &str) -> Option<Arc<ClusterRole>>;
    /// A role of one namespace.
    fn role(&self, namespace: &str, name: &str) -> Option<Arc<Role>>;
}

/// Allows what a rule allows, and whatever the group `system:masters` asks for.
#[derive(Clone)]
pub struct Rbac {
    source: Arc<dyn RuleSource>,
}

impl Rbac {
    /// Decides by these rules.
    pub fn new(source: Arc<dyn RuleSource>) -> Self {
        Rbac { source }
    }
}

#[async_trait]
impl Authorizer for Rbac {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        if attributes.user.is_in(MASTERS) {
            return Decision::Allow(String::new());
        }
        let mut allowed_by = None;
        let missing = visit(
            &*self.source,
            attributes.user,
            attributes.namespace,
            &mut |grant, rule| {
                if !allows(rule, attributes) {
                    return ControlFlow::Continue(());
                }
                allowed_by = Some(format!("RBAC: allowed by {}", grant.describe()));
                ControlFlow::Break(())
            },
        );
        match allowed_by {
            Some(reason) => Decision::Allow(reason),
            None => Decision::NoOpinion(unresolved(&missing)),
        }
    }
}

/// Every rule that holds for a user in a namespace, cluster-wide ones included; only those if it is
/// empty.
///
/// The second part names the roles that are bound but missing.
pub fn rules_for(
    source: &dyn RuleSource,
    user: &User,
    namespace: &str,
) -> (Vec<PolicyRule>, String) {
    let mut rules = Vec::new();
    let missing = visit(source, user, namespace, &mut |_, rule| {
        rules.push(rule.clone());
        ControlFlow::Continue(())
    });
    (rules, unresolved(&missing))
}

/// How a rule came to a user.
struct Grant<'a> {
    binding: BindingName<'a>,
    role: &'a RoleRef,
    subject: &'a Subject,
    namespace: &'a str,
}

enum BindingName<'a> {
    Cluster(&'a str),
    Namespaced(&'a str),
}

/// Shows each rule that a user has, with the grant it came by, until told to stop; returns the
/// roles that are missing.
fn visit(
    source: &dyn RuleSource,
    user: &User,
    namespace: &str,
    see: &mut dyn FnMut(&Grant<'_>, &PolicyRule) -> ControlFlow<()>,
) -> Vec<String> {
    let mut missing = Vec::new();
    for binding in source.cluster_role_bindings() {
        let Some(subject) = bound_subject(binding.subjects.as_deref(), user, "") else {
            continue;
        };
        let role = &binding.role_ref;
        let Some(found) = source.cluster_role(&role.name) else {
            missing.push(not_found(role));
            continue;
        };
        let name = BindingName::Cluster(binding.metadata.name.as_deref().unwrap_or_default());
        let grant = Grant {
            binding: name,
            role,
            subject,
            namespace: "",
        };
        if found
            .rules
            .iter()
            .flatten()
            .any(|rule| see(&grant, rule).is_break())
        {
            return missing;
        }
    }
    if namespace.is_empty() {
        return missing;
    }
    for binding in source.role_bindings(namespace) {
        let Some(subject) = bound_subject(binding.subjects.as_deref(), user, namespace) else {
            continue;
        };
        let role = &binding.role_ref;
        let Some(rules) = referenced_rules(source, role, namespace) else {
            missing.push(not_found(role));
            continue;
        };
        let name = BindingName::Namespaced(binding.metadata.name.as_deref().unwrap_or_default());
        let grant = Grant {
            binding: name,
            role,
            subject,
            namespace,
        };
        if rules.iter().any(|rule| see(&grant, rule).is_break()) {
            return missing;
        }
    }
    missing
}

fn referenced_rules(
    source: &dyn RuleSource,
    role: &RoleRef,
    namespace: &str,
) -> Option<Vec<PolicyRule>> {
    let rules = match role.kind.as_str() {
        "Role" => source.role(namespace, &role.name)?.rules.clone(),
        _ => source.cluster_role(&role.name)?.rules.clone(),
    };
    Some(rules.unwrap_or_default())
}

fn bound_subject<'a>(
    subjects: Option<&'a [Subject]>,
    user: &User,
    namespace: &str,
) -> Option<&'a Subject> {
    subjects
        .unwrap_or_default()
        .iter()
        .find(|subject| is_subject(subject, user, namespace))
}

/// A service account without a namespace is one of the binding's own.
fn is_subject(subject: &Subject, user: &User, namespace: &str) -> bool {
    match subject.kind.as_str() {
        "User" => user.name == subject.name,
        "Group" => user.is_in(&subject.name),
        "ServiceAccount" => {
            let namespace = subject
                .namespace
                .as_deref()
                .filter(|ns| !ns.is_empty())
                .unwrap_or(namespace);
            !namespace.is_empty()
                && user.as_service_account() == Some((namespace, subject.name.as_str()))
        }
        _ => false,
    }
}

/// Whether a rule covers a request.
pub fn allows(rule: &PolicyRule, attributes: &Attributes<'_>) -> bool {
    let verbs = covers(&rule.verbs, attributes.verb);
    if !attributes.resource_request {
        return verbs
            && rule
                .non_resource_urls
                .iter()
                .flatten()
                .any(|url| covers_path(url, attributes.path));
    }
    verbs
        && covers(
            rule.api_groups.as_deref().unwrap_or_default(),
            attributes.group,
        )
        && rule
            .resources
            .iter()
            .flatten()
            .any(|resource| covers_resource(resource, attributes))
        && covers_name(
            rule.resource_names.as_deref().unwrap_or_default(),
            attributes.name,
        )
}

fn covers(allowed: &[String], wanted: &str) -> bool {
    allowed.iter().any(|each| each == "*" || each == wanted)
}

/// `*`, `pods`, `pods/log`, or `*/scale` for that subresource of anything.
fn covers_resource(allowed: &str, attributes: &Attributes<'_>) -> bool {
    match allowed.split_once('/') {
        None => {
            allowed == "*" || (attributes.subresource.is_empty() && allowed == attributes.resource)
        }
        Some((resource, subresource)) => {
            !attributes.subresource.is_empty()
                && subresource == attributes.subresource
                && (resource == "*" || resource == attributes.resource)
        }
    }
}

/// Names restrict a rule; none means all.
fn covers_name(allowed: &[String], wanted: &str) -> bool {
    allowed.is_empty() || allowed.iter().any(|each| each == wanted)
}

/// A path, or with a final `*` all that begin so.
fn covers_path(allowed: &str, wanted: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(prefix) => wanted.starts_with(prefix),
        None => allowed == wanted,
    }
}

fn not_found(role: &RoleRef) -> String {
    format!(
        "{}.rbac.authorization.k8s.io {:?} not found",
        role.kind.to_ascii_lowercase(),
        role.name
    )
}

fn unresolved(missing: &[String]) -> String {
    match missing {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        several => format!("RBAC: [{}]", several.join(", ")),
    }
}

impl Grant<'_> {
    /// `ClusterRoleBinding "a" of ClusterRole "b" to Group "c"`.
    fn describe(&self) -> String {
        let RoleRef {
            kind, name: role, ..
        } = self.role;
        let (binding, name) = match self.binding {
            BindingName::Cluster(name) => ("ClusterRoleBinding", name.to_owned()),
            BindingName::Namespaced(name) => ("RoleBinding", format!("{name}/{}", self.namespace)),
        };
        let subject = match self.subject.kind.as_str() {
            "ServiceAccount" => {
                let namespace = self.subject.namespace.as_deref().unwrap_or(self.namespace);
                format!("{}/{namespace}", self.subject.name)
            }
            _ => self.subject.name.clone(),
        };
        format!(
            "{binding} {name:?} of {kind} {role:?} to {} {subject:?}",
            self.subject.kind
        )
    }
}

#[cfg(test)]
mod tests;
