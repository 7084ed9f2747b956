//! What the controllers of claims, volumes and attachments may do, and the provisioner of local volumes.

use super::{
    To::{self, Account, User},
    rule::{CORE, CREATE, EVENTS, GET, READ, Rule, STORAGE, UPDATE, may, may_named},
};

/// Rules by controller.
pub(super) const CONTROLLERS: &[(&str, &[Rule])] = &[
    (
        "persistent-volume-binder",
        &[
            EVENTS,
            may(
                &["get", "list", "watch", "update", "create", "delete"],
                CORE,
                &["persistentvolumes"],
            ),
            may(UPDATE, CORE, &["persistentvolumes/status"]),
            may(
                &["get", "list", "watch", "update"],
                CORE,
                &["persistentvolumeclaims"],
            ),
            may(UPDATE, CORE, &["persistentvolumeclaims/status"]),
            may(READ, CORE, &["nodes", "pods"]),
            may(READ, STORAGE, &["storageclasses"]),
        ],
    ),
    (
        "attachdetach-controller",
        &[
            EVENTS,
            may(
                &["list", "watch"],
                CORE,
                &["persistentvolumes", "persistentvolumeclaims"],
            ),
            may(READ, CORE, &["nodes"]),
            may(&["update", "patch"], CORE, &["nodes/status"]),
            may(&["list", "watch"], CORE, &["pods"]),
            may(
                &["get", "list", "watch", "create", "delete"],
                STORAGE,
                &["volumeattachments"],
            ),
            may(READ, STORAGE, &["csidrivers", "csinodes"]),
        ],
    ),
    (
        "expand-controller",
        &[
            EVENTS,
            may(
                &["get", "list", "watch", "patch", "update"],
                CORE,
                &["persistentvolumes"],
            ),
            may(
                &["patch", "update"],
                CORE,
                &["persistentvolumeclaims/status"],
            ),
            may(READ, CORE, &["persistentvolumeclaims"]),
            may(READ, STORAGE, &["storageclasses"]),
        ],
    ),
    (
        "ephemeral-volume-controller",
        &[
            EVENTS,
            may(READ, CORE, &["pods"]),
            may(UPDATE, CORE, &["pods/finalizers"]),
            may(
                &["get", "list", "watch", "create"],
                CORE,
                &["persistentvolumeclaims"],
            ),
        ],
    ),
];

/// Roles by name, the identities that have them, and their rules.
pub(super) const ROLES: &[(&str, &[To], &[Rule])] = &[
    (
        "system:volume-scheduler",
        &[User("system:kube-scheduler")],
        &[
            may(
                &["get", "list", "patch", "update", "watch"],
                CORE,
                &["persistentvolumes", "persistentvolumeclaims"],
            ),
            may(READ, STORAGE, &["storageclasses"]),
        ],
    ),
    // For provisioners; bound by whoever installs one.
    (
        "system:persistent-volume-provisioner",
        &[],
        &[
            EVENTS,
            may(
                &["get", "list", "watch", "create", "delete"],
                CORE,
                &["persistentvolumes"],
            ),
            may(
                &["get", "list", "watch", "update"],
                CORE,
                &["persistentvolumeclaims"],
            ),
            may(READ, STORAGE, &["storageclasses"]),
        ],
    ),
    (
        "system:local-path-provisioner",
        &[Account("kube-system", "local-path-provisioner")],
        &[
            EVENTS,
            may(READ, CORE, &["nodes"]),
            may(
                &["get", "list", "watch", "create", "update", "delete"],
                CORE,
                &["persistentvolumes"],
            ),
            may(
                &["get", "list", "watch", "update"],
                CORE,
                &["persistentvolumeclaims"],
            ),
            may(
                &["get", "list", "watch", "create"],
                STORAGE,
                &["storageclasses"],
            ),
        ],
    ),
];

/// How the provisioner of local volumes knows that it was installed here once: whoever takes its class away after that
/// doesn't get it back.
pub(super) const INSTALLED: &[Rule] = &[
    may_named(GET, CORE, &["configmaps"], &["local-path-provisioner"]),
    may(CREATE, CORE, &["configmaps"]),
];
