//! What the components of a cluster may do, each as itself.

use super::{
    To::{self, Account, User},
    rule::{
        ALL, APPS, AUTHORIZATION, AUTOSCALING, BATCH, CERTIFICATES, CHANGE, COORDINATION, CORE,
        CREATE, DISCOVERY, EVENTS, FOLLOW, GET, NETWORKING, NODE_GROUP, POLICY, READ, RESOURCE,
        REVIEW_ACCESS, REVIEW_TOKENS, Rule, SCHEDULING, STORAGE, UPDATE, may, may_named,
    },
};

/// What nodes' agents do.
pub(super) const NODE: &[Rule] = &[
    EVENTS,
    REVIEW_TOKENS,
    may(
        CREATE,
        AUTHORIZATION,
        &["subjectaccessreviews", "localsubjectaccessreviews"],
    ),
    may(READ, CORE, &["services", "configmaps", "secrets"]),
    may(
        &["create", "get", "list", "watch", "update", "patch"],
        CORE,
        &["nodes"],
    ),
    may(CHANGE, CORE, &["nodes/status", "pods/status"]),
    // Mirror pods of what the node runs by itself.
    may(
        &["create", "delete", "get", "list", "watch"],
        CORE,
        &["pods"],
    ),
    may(CREATE, CORE, &["pods/eviction", "serviceaccounts/token"]),
    may(GET, CORE, &["persistentvolumeclaims", "persistentvolumes"]),
    may(
        &["get", "update", "patch"],
        CORE,
        &["persistentvolumeclaims/status"],
    ),
    may(
        &["create", "get", "list", "watch"],
        CERTIFICATES,
        &["certificatesigningrequests"],
    ),
    may(READ, CERTIFICATES, &["clustertrustbundles"]),
    may(
        &["get", "create", "update", "patch", "delete"],
        COORDINATION,
        &["leases"],
    ),
    may(READ, NODE_GROUP, &["runtimeclasses"]),
    may(GET, STORAGE, &["volumeattachments"]),
    may(READ, STORAGE, &["csidrivers"]),
    may(
        &["get", "create", "update", "patch", "delete"],
        STORAGE,
        &["csinodes"],
    ),
    may(GET, RESOURCE, &["resourceclaims"]),
    may(
        &[
            "deletecollection",
            "list",
            "watch",
            "create",
            "get",
            "update",
            "patch",
            "delete",
        ],
        RESOURCE,
        &["resourceslices"],
    ),
];

/// Roles by name, the identities that have them, and their rules.
pub(super) const ROLES: &[(&str, &[To], &[Rule])] = &[
    (
        "system:auth-delegator",
        &[],
        &[REVIEW_TOKENS, REVIEW_ACCESS],
    ),
    (
        "system:kube-scheduler",
        &[User("system:kube-scheduler")],
        &[
            EVENTS,
            REVIEW_TOKENS,
            REVIEW_ACCESS,
            may(CREATE, COORDINATION, &["leases"]),
            may_named(
                &["get", "update", "list", "watch"],
                COORDINATION,
                &["leases"],
                &["kube-scheduler"],
            ),
            may(
                READ,
                CORE,
                &["nodes", "namespaces", "services", "replicationcontrollers"],
            ),
            may(READ, CORE, &["persistentvolumeclaims", "persistentvolumes"]),
            may(&["get", "list", "watch", "delete"], CORE, &["pods"]),
            may(CREATE, CORE, &["bindings", "pods/binding"]),
            may(CHANGE, CORE, &["pods/status"]),
            may(READ, APPS, &["replicasets", "statefulsets"]),
            may(READ, POLICY, &["poddisruptionbudgets"]),
            may(
                READ,
                STORAGE,
                &[
                    "csidrivers",
                    "csinodes",
                    "csistoragecapacities",
                    "storageclasses",
                    "volumeattachments",
                ],
            ),
        ],
    ),
    (
        "system:kube-controller-manager",
        &[User("system:kube-controller-manager")],
        &[
            EVENTS,
            REVIEW_TOKENS,
            REVIEW_ACCESS,
            may(CREATE, COORDINATION, &["leases"]),
            may_named(
                &["get", "update"],
                COORDINATION,
                &["leases"],
                &["kube-controller-manager"],
            ),
            may(
                CREATE,
                CORE,
                &["secrets", "serviceaccounts", "serviceaccounts/token"],
            ),
            may(&["delete"], CORE, &["secrets"]),
            may(
                GET,
                CORE,
                &["configmaps", "namespaces", "secrets", "serviceaccounts"],
            ),
            may(UPDATE, CORE, &["secrets", "serviceaccounts"]),
            may(FOLLOW, ALL, ALL),
        ],
    ),
    // Nobody has this role: nodes are the Node authorizer's.
    ("system:node", &[], NODE),
    (
        "system:node-proxier",
        &[User("system:kube-proxy")],
        &[
            EVENTS,
            may(FOLLOW, CORE, &["services", "endpoints"]),
            may(READ, CORE, &["nodes"]),
            may(FOLLOW, DISCOVERY, &["endpointslices"]),
            may(FOLLOW, NETWORKING, &["servicecidrs"]),
        ],
    ),
    (
        "system:kube-dns",
        &[
            Account("kube-system", "kube-dns"),
            Account("kube-system", "coredns"),
        ],
        &[
            may(FOLLOW, CORE, &["endpoints", "services"]),
            may(FOLLOW, DISCOVERY, &["endpointslices"]),
            // It keeps the service by which pods find it.
            may_named(CHANGE, CORE, &["services"], &["kube-dns"]),
            may_named(CHANGE, DISCOVERY, &["endpointslices"], &["kube-dns"]),
        ],
    ),
    // What the server itself may do on nodes, when it relays logs, exec, attach and port-forward.
    (
        "system:kube-apiserver-to-kubelet",
        &[User("kube-apiserver-kubelet-client")],
        &[
            may(READ, CORE, &["nodes"]),
            may(
                ALL,
                CORE,
                &[
                    "nodes/log",
                    "nodes/metrics",
                    "nodes/proxy",
                    "nodes/spec",
                    "nodes/stats",
                ],
            ),
            may(GET, CORE, &["nodes/configz", "nodes/healthz", "nodes/pods"]),
        ],
    ),
    // Fills the stores that the components of one process share; writes nothing.
    (
        "system:informer-hub",
        &[User("system:informer-hub")],
        &[
            may(
                READ,
                CORE,
                &[
                    "configmaps",
                    "endpoints",
                    "events",
                    "limitranges",
                    "namespaces",
                    "nodes",
                    "pods",
                ],
            ),
            may(
                READ,
                CORE,
                &[
                    "persistentvolumeclaims",
                    "persistentvolumes",
                    "replicationcontrollers",
                ],
            ),
            may(
                READ,
                CORE,
                &["resourcequotas", "secrets", "serviceaccounts", "services"],
            ),
            may(
                READ,
                APPS,
                &[
                    "controllerrevisions",
                    "daemonsets",
                    "deployments",
                    "replicasets",
                    "statefulsets",
                ],
            ),
            may(READ, BATCH, &["cronjobs", "jobs"]),
            may(READ, AUTOSCALING, &["horizontalpodautoscalers"]),
            may(READ, CERTIFICATES, &["certificatesigningrequests"]),
            may(READ, COORDINATION, &["leases"]),
            may(READ, DISCOVERY, &["endpointslices"]),
            may(
                READ,
                NETWORKING,
                &["ingresses", "networkpolicies", "servicecidrs"],
            ),
            may(READ, NODE_GROUP, &["runtimeclasses"]),
            may(READ, POLICY, &["poddisruptionbudgets"]),
            may(READ, SCHEDULING, &["priorityclasses"]),
            may(
                READ,
                STORAGE,
                &[
                    "csidrivers",
                    "csinodes",
                    "csistoragecapacities",
                    "storageclasses",
                    "volumeattachments",
                ],
            ),
        ],
    ),
];
