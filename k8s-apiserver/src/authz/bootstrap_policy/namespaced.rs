//! Roles that hold in one of the system's namespaces.

use super::{
    To::{self, Account, User},
    rule::{CORE, EVENTS, READ, Rule, UPDATE, may, may_named},
    volume,
};

/// A role in a namespace, and who has it there.
pub(super) struct Local {
    pub(super) namespace: &'static str,
    pub(super) role: &'static str,
    pub(super) binding: &'static str,
    pub(super) to: &'static [To],
    pub(super) rules: &'static [Rule],
}

/// All of them.
pub(super) const ROLES: &[Local] = &[
    // How an aggregated server learns whom to believe.
    Local {
        namespace: "kube-system",
        role: "extension-apiserver-authentication-reader",
        binding: "system::extension-apiserver-authentication-reader",
        to: &[
            User("system:kube-controller-manager"),
            User("system:kube-scheduler"),
        ],
        rules: &[may_named(
            READ,
            CORE,
            &["configmaps"],
            &["extension-apiserver-authentication"],
        )],
    },
    Local {
        namespace: "kube-system",
        role: "system:local-path-provisioner",
        binding: "system:local-path-provisioner",
        to: &[Account("kube-system", "local-path-provisioner")],
        rules: volume::INSTALLED,
    },
    Local {
        namespace: "kube-system",
        role: "system:controller:token-cleaner",
        binding: "system:controller:token-cleaner",
        to: &[Account("kube-system", "token-cleaner")],
        rules: &[
            EVENTS,
            may(&["get", "list", "watch", "delete"], CORE, &["secrets"]),
        ],
    },
    Local {
        namespace: "kube-system",
        role: "system:controller:bootstrap-signer",
        binding: "system:controller:bootstrap-signer",
        to: &[Account("kube-system", "bootstrap-signer")],
        rules: &[may(READ, CORE, &["secrets"])],
    },
    Local {
        namespace: "kube-public",
        role: "system:controller:bootstrap-signer",
        binding: "system:controller:bootstrap-signer",
        to: &[Account("kube-system", "bootstrap-signer")],
        rules: &[
            EVENTS,
            may(READ, CORE, &["configmaps"]),
            may_named(UPDATE, CORE, &["configmaps"], &["cluster-info"]),
        ],
    },
];
