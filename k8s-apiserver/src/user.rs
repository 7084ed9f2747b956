//! Who is asking.

use std::{collections::BTreeMap, sync::Arc};

/// Every authenticated user is in this group.
pub const AUTHENTICATED: &str = "system:authenticated";
/// Requests without credentials are in this group.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The name of whoever sends no credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// Members may do everything, whatever RBAC says.
pub const MASTERS: &str = "system:masters";
/// All service accounts are in this group.
pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// The agents of nodes are in this group.
pub const NODES: &str = "system:nodes";

/// The identity that a request acts as: set by authentication, replaced by impersonation, read by
/// everyone after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Unique among active users: `kubernetes-admin`, `system:serviceaccount:default:builder`.
    pub name: String,
    /// Tells apart two users that had the same name at different times; empty if unknown.
    pub uid: String,
    /// The groups that the user is in; RBAC binds roles to these as well.
    pub groups: Vec<String>,
    /// What else the authenticator knows.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user with a name and no groups.
    pub fn new(name: impl Into<String>) -> Self {
        User {
            name: name.into(),
            ..User::default()
        }
    }

    /// The user that a request acts as; anonymous if nobody has asked yet.
    pub fn of<B>(request: &http::Request<B>) -> Arc<User> {
        let user = request.extensions().get::<Arc<User>>().cloned();
        user.unwrap_or_else(|| Arc::new(User::anonymous()))
    }

    /// The user that requests without credentials act as.
    pub fn anonymous() -> Self {
        User::new(ANONYMOUS).in_group(UNAUTHENTICATED)
    }

    /// A service account, with the groups that all of them have.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        User::new(format!("system:serviceaccount:{namespace}:{name}"))
            .in_group(SERVICE_ACCOUNTS)
            .in_group(format!("{SERVICE_ACCOUNTS}:{namespace}"))
    }

    /// The agent of a node.
    pub fn node(name: &str) -> Self {
        User::new(format!("system:node:{name}")).in_group(NODES)
    }

    /// The same user in one more group; no change if it is there already.
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        let group = group.into();
        if !self.is_in(&group) {
            self.groups.push(group);
        }
        self
    }

    /// Whether the user is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|each| each == group)
    }

    /// The namespace and name, if this is a service account.
    pub fn as_service_account(&self) -> Option<(&str, &str)> {
        self.name
            .strip_prefix("system:serviceaccount:")?
            .split_once(':')
    }

    /// The node's name, if this is a node's agent.
    pub fn as_node(&self) -> Option<&str> {
        self.name
            .strip_prefix("system:node:")
            .filter(|_| self.is_in(NODES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_accounts_are_known_by_their_name() {
        let user = User::service_account("kube-system", "coredns");
        assert_eq!(user.as_service_account(), Some(("kube-system", "coredns")));
        assert_eq!(
            user.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:kube-system"
            ]
        );
        assert_eq!(User::new("jane").as_service_account(), None);
    }

    #[test]
    fn a_node_is_one_only_inside_its_group() {
        assert_eq!(User::node("n1").as_node(), Some("n1"));
        assert_eq!(User::new("system:node:n1").as_node(), None);
    }
}
