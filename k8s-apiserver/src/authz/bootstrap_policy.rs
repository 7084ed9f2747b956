//! The roles and bindings that every cluster begins with, as tables.
//!
//! Names and rules follow Kubernetes' bootstrap policy, so `kubectl auth can-i` answers as people
//! expect; groups and resources that no longer exist are left out. Least privilege: each component
//! gets what its loop reads and writes, and no component is in `system:masters`.

mod certificate;
mod component;
mod controller;
mod namespaced;
mod people;
mod rule;
mod volume;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use rule::{RBAC, Rule};

/// All cluster-wide roles, labelled as Kubernetes labels its defaults.
pub fn cluster_roles() -> Vec<ClusterRole> {
    let people = people::ROLES
        .iter()
        .map(|(name, _, parts)| role(*name, &parts.concat()));
    let components = component::ROLES
        .iter()
        .chain(certificate::ROLES)
        .chain(volume::ROLES)
        .map(|(name, _, rules)| role(*name, rules));
    let controllers = controller::ROLES
        .iter()
        .chain(volume::CONTROLLERS)
        .map(|(name, rules)| role(controller_role(name), rules));
    people.chain(components).chain(controllers).collect()
}

/// All cluster-wide bindings: each role's under its own name, and the administrators' beside it.
pub fn cluster_role_bindings() -> Vec<ClusterRoleBinding> {
    let people = people::ROLES.iter().map(|(name, to, _)| (*name, *to));
    let components = component::ROLES.iter().chain(volume::ROLES);
    let components = components.map(|(name, to, _)| (*name, *to));
    let given = people.chain(components).filter(|(_, to)| !to.is_empty());
    let controllers = controller::ROLES.iter().chain(volume::CONTROLLERS);
    let controllers = controllers.map(|(name, _)| {
        let role = controller_role(name);
        binding(role.clone(), role, &[To::Account("kube-system", name)])
    });
    let mut bindings: Vec<_> = given.map(|(name, to)| binding(name, name, to)).collect();
    bindings.extend(controllers);
    let administrators = "kubeadm:cluster-admins";
    bindings.push(binding(
        administrators,
        "cluster-admin",
        &[To::Group(administrators)],
    ));
    bindings
}

/// The roles of the system's namespaces.
pub fn roles() -> Vec<Role> {
    let local = namespaced::ROLES.iter().map(|local| Role {
        metadata: metadata_in(local.namespace, local.role),
        rules: Some(local.rules.iter().map(PolicyRule::from).collect()),
    });
    local.collect()
}

/// Who has the roles of the system's namespaces.
pub fn role_bindings() -> Vec<RoleBinding> {
    let local = namespaced::ROLES.iter().map(|local| RoleBinding {
        metadata: metadata_in(local.namespace, local.binding),
        role_ref: RoleRef {
            api_group: Some(RBAC[0].to_owned()),
            kind: "Role".to_owned(),
            name: local.role.to_owned(),
        },
        subjects: Some(local.to.iter().map(Subject::from).collect()),
    });
    local.collect()
}

/// What every node may do, whatever runs on it; the rest is for the
/// [`NodeAuthorizer`](super::node::NodeAuthorizer) to relate to the node.
pub fn node_rules() -> Vec<PolicyRule> {
    component::NODE.iter().map(PolicyRule::from).collect()
}

/// Who gets a role.
#[derive(Clone, Copy)]
enum To {
    Group(&'static str),
    User(&'static str),
    Account(&'static str, &'static str),
}

fn controller_role(name: &str) -> String {
    format!("system:controller:{name}")
}

fn role(name: impl Into<String>, rules: &[Rule]) -> ClusterRole {
    ClusterRole {
        metadata: metadata(name.into()),
        rules: Some(rules.iter().map(PolicyRule::from).collect()),
        aggregation_rule: None,
    }
}

fn binding(name: impl Into<String>, role: impl Into<String>, to: &[To]) -> ClusterRoleBinding {
    let role_ref = RoleRef {
        api_group: Some(RBAC[0].to_owned()),
        kind: "ClusterRole".to_owned(),
        name: role.into(),
    };
    let subjects = to.iter().map(Subject::from).collect();
    ClusterRoleBinding {
        metadata: metadata(name.into()),
        role_ref,
        subjects: Some(subjects),
    }
}

fn metadata_in(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        ..metadata(name.to_owned())
    }
}

fn metadata(name: String) -> ObjectMeta {
    let pair = |key: &str, value: &str| Some(BTreeMap::from([(key.to_owned(), value.to_owned())]));
    ObjectMeta {
        name: Some(name),
        labels: pair("kubernetes.io/bootstrapping", "rbac-defaults"),
        annotations: pair("rbac.authorization.kubernetes.io/autoupdate", "true"),
        ..ObjectMeta::default()
    }
}

impl From<&To> for Subject {
    fn from(to: &To) -> Self {
        let group = || Some(RBAC[0].to_owned());
        let (kind, name, api_group, namespace) = match to {
            To::Group(name) => ("Group", name, group(), None),
            To::User(name) => ("User", name, group(), None),
            To::Account(namespace, name) => {
                ("ServiceAccount", name, None, Some((*namespace).to_owned()))
            }
        };
        Subject {
            kind: kind.to_owned(),
            name: (*name).to_owned(),
            api_group,
            namespace,
        }
    }
}

#[cfg(test)]
mod tests;
