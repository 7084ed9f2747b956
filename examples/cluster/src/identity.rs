//! Who each component is. None is in `system:masters`; RBAC grants each what it needs.

use k8s_apiserver::User;

/// Reads for all components of this process, so that each object is held once; writes nothing.
pub(crate) fn informer_hub() -> User {
    User::new("system:informer-hub")
}

/// A built-in controller, by its service account.
pub(crate) fn controller(account: &str) -> User {
    User::service_account("kube-system", account)
}

/// What writes the tokens of secrets: as in Kubernetes, the one controller that is no account.
pub(crate) fn controller_manager() -> User {
    User::new("system:kube-controller-manager")
}

/// The scheduler.
pub(crate) fn scheduler() -> User {
    User::new("system:kube-scheduler")
}

/// The agent of a node.
pub(crate) fn node(name: &str) -> User {
    User::node(name)
}

/// The service proxy.
pub(crate) fn proxy() -> User {
    User::new("system:kube-proxy")
}

/// Cluster DNS.
pub(crate) fn dns() -> User {
    User::service_account("kube-system", "coredns")
}
