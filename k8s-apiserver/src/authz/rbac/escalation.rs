//! Nobody gives away what they don't have.
//!
//! Whoever writes a role must hold every permission in it, and whoever writes a binding every
//! permission of the role bound; else editing roles would be a way to become anyone. The verbs
//! `escalate` (on the role written) and `bind` (on the role bound) lift that.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef};

use super::{RuleSource, covers_path, referenced_rules, rules_for};
use crate::{
    ApiError, User,
    authz::{Attributes, Authorizer, Decision},
    error::GroupResource,
    user::MASTERS,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Checks writes of roles and bindings; an admission plugin asks it about each.
#[derive(Clone)]
pub struct Guard {
    /// Knows about `escalate` and `bind`.
    pub authorizer: Arc<dyn Authorizer>,
    /// What everybody holds.
    pub rules: Arc<dyn RuleSource>,
}

/// The role or binding that is being written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// `roles`, `clusterroles`, `rolebindings` or `clusterrolebindings`.
    pub resource: &'a str,
    /// Where; empty for what is cluster-wide.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Guard {
    /// Whether a user may write a role with these rules.
    pub async fn role(
        &self,
        user: &User,
        written: Written<'_>,
        rules: &[PolicyRule],
    ) -> Result<(), ApiError> {
        let Written {
            resource,
            namespace,
            name,
        } = written;
        if self
            .lifted(user, "escalate", resource, namespace, name)
            .await
        {
            return Ok(());
        }
        self.confirm(user, written, rules)
    }

    /// Whether a user may write a binding to this role.
    pub async fn binding(
        &self,
        user: &User,
        written: Written<'_>,
        role: &RoleRef,
    ) -> Result<(), ApiError> {
        let (resource, namespace) = match role.kind.as_str() {
            "Role" => ("roles", written.namespace),
            _ => ("clusterroles", ""),
        };
        // In a namespace, `bind` may be granted there.
        let scope = if written.namespace.is_empty() {
            namespace
        } else {
            written.namespace
        };
        if self.lifted(user, "bind", resource, scope, &role.name).await {
            return Ok(());
        }
        let rules = referenced_rules(&*self.rules, role, written.namespace);
        let missing = GroupResource::new(GROUP, resource);
        let rules = rules.ok_or_else(|| ApiError::not_found(missing, &role.name))?;
        self.confirm(user, written, &rules)
    }

    async fn lifted(
        &self,
        user: &User,
        verb: &str,
        resource: &str,
        namespace: &str,
        name: &str,
    ) -> bool {
        let attributes = Attributes {
            verb,
            group: GROUP,
            resource,
            namespace,
            name,
            ..Attributes::resource(user)
        };
        user.is_in(MASTERS)
            || matches!(
                self.authorizer.authorize(&attributes).await,
                Decision::Allow(_)
            )
    }

    fn confirm(
        &self,
        user: &User,
        written: Written<'_>,
        wanted: &[PolicyRule],
    ) -> Result<(), ApiError> {
        let (held, unresolved) = rules_for(&*self.rules, user, written.namespace);
        let missing = uncovered(&held, wanted);
        if missing.is_empty() {
            return Ok(());
        }
        let groups: Vec<String> = user
            .groups
            .iter()
            .map(|group| format!("{group:?}"))
            .collect();
        let mut detail = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            user.name,
            groups.join(" "),
            missing.join("\n"),
        );
        if !unresolved.is_empty() {
            detail += &format!("; resolution errors: {unresolved}");
        }
        let resource = GroupResource::new(GROUP, written.resource);
        Err(ApiError::Forbidden {
            resource,
            name: written.name.to_owned(),
            detail,
        })
    }
}

/// What of `wanted` no rule of `held` covers, a line per resource or path with its verbs.
fn uncovered(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<String> {
    let mut verbs_by_what = BTreeMap::<String, Vec<&str>>::new();
    for atom in wanted.iter().flat_map(atoms) {
        if held.iter().any(|rule| atom.is_covered_by(rule)) {
            continue;
        }
        let verbs = verbs_by_what.entry(atom.what()).or_default();
        if !verbs.contains(&atom.verb) {
            verbs.push(atom.verb);
        }
    }
    let line = |(what, verbs): (&String, &Vec<&str>)| {
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("{verb:?}")).collect();
        format!("{{{what}, Verbs:[{}]}}", verbs.join(" "))
    };
    verbs_by_what.iter().map(line).collect()
}

/// One verb on one thing: what a rule is made of.
struct Atom<'a> {
    verb: &'a str,
    what: What<'a>,
}

enum What<'a> {
    Resource {
        group: &'a str,
        resource: &'a str,
        name: Option<&'a str>,
    },
    Path(&'a str),
}

fn atoms(rule: &PolicyRule) -> Vec<Atom<'_>> {
    let names: Vec<Option<&str>> = match rule.resource_names.as_deref() {
        None | Some([]) => vec![None],
        Some(names) => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let mut atoms = Vec::new();
    for verb in &rule.verbs {
        let paths = rule.non_resource_urls.iter().flatten();
        atoms.extend(paths.map(|path| Atom {
            verb,
            what: What::Path(path),
        }));
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                let of_name = |&name| Atom {
                    verb,
                    what: What::Resource {
                        group,
                        resource,
                        name,
                    },
                };
                atoms.extend(names.iter().map(of_name));
            }
        }
    }
    atoms
}

impl Atom<'_> {
    fn is_covered_by(&self, rule: &PolicyRule) -> bool {
        let any = |allowed: &Option<Vec<String>>, wanted: &str| {
            allowed
                .iter()
                .flatten()
                .any(|each| each == "*" || each == wanted)
        };
        let verb = rule
            .verbs
            .iter()
            .any(|each| each == "*" || each == self.verb);
        let what = match self.what {
            What::Path(path) => rule
                .non_resource_urls
                .iter()
                .flatten()
                .any(|each| covers_path(each, path)),
            What::Resource {
                group,
                resource,
                name,
            } => {
                let of_any = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
                let names = rule.resource_names.as_deref().unwrap_or_default();
                any(&rule.api_groups, group)
                    && (any(&rule.resources, resource)
                        || of_any.is_some_and(|all| any(&rule.resources, &all)))
                    && (names.is_empty()
                        || name.is_some_and(|name| names.iter().any(|each| each == name)))
            }
        };
        verb && what
    }

    /// In the notation of Kubernetes' message.
    fn what(&self) -> String {
        match self.what {
            What::Path(path) => format!("NonResourceURLs:[{path:?}]"),
            What::Resource {
                group,
                resource,
                name,
            } => {
                let names = name
                    .map(|name| format!(", ResourceNames:[{name:?}]"))
                    .unwrap_or_default();
                format!("APIGroups:[{group:?}], Resources:[{resource:?}]{names}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authz::rbac::{MemoryRules, Rbac};

    /// Jane administers the namespace `a`.
    fn guard() -> Guard {
        let rules = MemoryRules::bootstrap();
        let binding = json!({
            "metadata": {"name": "admins", "namespace": "a"},
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "User", "name": "jane"}],
        });
        rules.add_role_binding(serde_json::from_value(binding).unwrap());
        let rules = Arc::new(rules);
        Guard {
            authorizer: Arc::new(Rbac::new(rules.clone())),
            rules,
        }
    }

    fn write_role(user: &User, namespace: &str, rules: serde_json::Value) -> Result<(), ApiError> {
        let rules: Vec<PolicyRule> = serde_json::from_value(rules).unwrap();
        let written = Written {
            resource: "roles",
            namespace,
            name: "r",
        };
        futures::executor::block_on(guard().role(user, written, &rules))
    }

    fn bind(user: &User, namespace: &str, role: &str) -> Result<(), ApiError> {
        let role = RoleRef {
            api_group: None,
            kind: "ClusterRole".into(),
            name: role.into(),
        };
        let written = Written {
            resource: "rolebindings",
            namespace,
            name: "b",
        };
        futures::executor::block_on(guard().binding(user, written, &role))
    }

    #[test]
    fn what_one_holds_one_may_give() {
        let jane = User::new("jane");
        let rules = json!([
            {"verbs": ["get", "create"], "apiGroups": ["apps"], "resources": ["deployments"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"]},
        ]);
        write_role(&jane, "a", rules.clone()).unwrap();
        assert!(write_role(&jane, "b", rules).is_err());
        bind(&jane, "a", "edit").unwrap();
    }

    #[test]
    fn what_one_lacks_is_listed() {
        let jane = User::new("jane").in_group("devs");
        let rules = json!([
            {"verbs": ["get", "*"], "apiGroups": [""], "resources": ["pods", "nodes"]},
            {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
        ]);
        assert_eq!(
            write_role(&jane, "a", rules).unwrap_err().to_string(),
            "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"jane\" (groups=[\"devs\"]) is \
             attempting to grant RBAC permissions not currently held:\n\
             {APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"*\"]}\n\
             {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"*\"]}\n\
             {NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"
        );
        assert!(bind(&jane, "a", "cluster-admin").is_err());
    }

    #[test]
    fn administrators_of_the_cluster_may_give_anything() {
        let admin = User::new("root").in_group("kubeadm:cluster-admins");
        bind(&admin, "a", "cluster-admin").unwrap();
        bind(
            &User::new("root").in_group("system:masters"),
            "a",
            "cluster-admin",
        )
        .unwrap();
    }

    #[test]
    fn a_role_that_is_missing_cannot_be_bound_by_those_who_may_not_bind_all() {
        let error = bind(&User::new("jane"), "a", "gone").unwrap_err();
        assert_eq!(
            error.to_string(),
            "clusterroles.rbac.authorization.k8s.io \"gone\" not found"
        );
    }
}
