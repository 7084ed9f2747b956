//! Who each component is. None is in `system:masters`; RBAC grants each what it needs.

use k8s_apiserver::{ApiServer, User};
use kube::Client;

/// A component as the API server sees it.
pub(crate) struct Identity {
    user: User,
    /// The program that Kubernetes runs it in: what managed fields and audit log name.
    program: &'static str,
}

impl Identity {
    /// Its client.
    pub(crate) fn client(self, server: &ApiServer) -> Client {
        server.client_of(self.program, self.user)
    }
}

/// The program of all controllers.
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// Reads for all components of this process, so that each object is held once; writes nothing.
pub(crate) fn informer_hub() -> Identity {
    Identity {
        user: User::new("system:informer-hub"),
        program: "informer-hub",
    }
}

/// Sets the cluster up.
pub(crate) fn administrator() -> Identity {
    Identity {
        user: User::new("kubernetes-admin").in_group("kubeadm:cluster-admins"),
        program: "cluster",
    }
}

/// A built-in controller, by its service account.
pub(crate) fn controller(account: &str) -> Identity {
    Identity {
        user: User::service_account("kube-system", account),
        program: CONTROLLER_MANAGER,
    }
}

/// Stands for the controllers' lease, and writes the tokens of secrets: as in Kubernetes, the one controller that is no
/// account.
pub(crate) fn controller_manager() -> Identity {
    Identity {
        user: User::new("system:kube-controller-manager"),
        program: CONTROLLER_MANAGER,
    }
}

/// The scheduler.
pub(crate) fn scheduler() -> Identity {
    Identity {
        user: User::new("system:kube-scheduler"),
        program: "kube-scheduler",
    }
}

/// The agent of a node.
pub(crate) fn node(name: &str) -> Identity {
    Identity {
        user: User::node(name),
        program: "kubelet",
    }
}

/// The provisioner of volumes that are directories of this machine.
pub(crate) fn local_path() -> Identity {
    Identity {
        user: User::service_account("kube-system", k8s_controllers::local_path::ACCOUNT),
        program: "local-path-provisioner",
    }
}

/// The service proxy.
pub(crate) fn proxy() -> Identity {
    Identity {
        user: User::new("system:kube-proxy"),
        program: "kube-proxy",
    }
}

/// Cluster DNS.
pub(crate) fn dns() -> Identity {
    Identity {
        user: User::service_account("kube-system", "coredns"),
        program: "coredns",
    }
}
