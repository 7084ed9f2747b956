//! The roles that people are given, and what everybody may do.

use super::{
    To::{self, Group},
    rule::{
        ALL, APPS, AUTHENTICATION, AUTHORIZATION, AUTOSCALING, BATCH, COORDINATION, CORE, CREATE,
        DISCOVERY, GET, NETWORKING, POLICY, RBAC, READ, Rule, WRITE, may, may_path,
    },
};

/// Rules that several roles have in common.
type Part = &'static [Rule];

/// Roles by name, to whom they are given, and the parts that their rules come from.
pub(super) const ROLES: &[(&str, &[To], &[Part])] = &[
    (
        "cluster-admin",
        &[Group("system:masters")],
        &[&[may(ALL, ALL, ALL), may_path(ALL, ALL)]],
    ),
    ("admin", &[], &[VIEW, EDIT, ADMIN]),
    ("edit", &[], &[VIEW, EDIT]),
    ("view", &[], &[VIEW]),
    (
        "system:public-info-viewer",
        &[
            Group("system:authenticated"),
            Group("system:unauthenticated"),
        ],
        &[&[may_path(
            GET,
            &["/healthz", "/livez", "/readyz", "/version", "/version/"],
        )]],
    ),
    (
        "system:discovery",
        &[Group("system:authenticated")],
        &[&[
            may_path(
                GET,
                &[
                    "/healthz",
                    "/livez",
                    "/readyz",
                    "/version",
                    "/version/",
                    "/openapi",
                    "/openapi/*",
                ],
            ),
            may_path(GET, &["/api", "/api/*", "/apis", "/apis/*"]),
        ]],
    ),
    (
        "system:basic-user",
        &[Group("system:authenticated")],
        &[&[
            may(
                CREATE,
                AUTHORIZATION,
                &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            ),
            may(CREATE, AUTHENTICATION, &["selfsubjectreviews"]),
        ]],
    ),
    // Whoever runs in a cluster may learn how to verify the tokens of its neighbours.
    (
        "system:service-account-issuer-discovery",
        &[Group("system:serviceaccounts")],
        &[&[may_path(
            GET,
            &[
                "/.well-known/openid-configuration",
                "/.well-known/openid-configuration/",
                "/openid/v1/jwks",
                "/openid/v1/jwks/",
            ],
        )]],
    ),
    (
        "system:monitoring",
        &[Group("system:monitoring")],
        &[&[
            may_path(
                GET,
                &["/metrics", "/metrics/slis", "/livez", "/readyz", "/healthz"],
            ),
            may_path(GET, &["/livez/*", "/readyz/*", "/healthz/*"]),
        ]],
    ),
];

/// What is in a namespace and gives nobody more power by being seen: no secrets.
const VIEW: Part = &[
    may(
        READ,
        CORE,
        &[
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
        ],
    ),
    may(
        READ,
        CORE,
        &[
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "serviceaccounts",
        ],
    ),
    may(
        READ,
        CORE,
        &[
            "services",
            "services/status",
            "bindings",
            "events",
            "limitranges",
            "namespaces/status",
        ],
    ),
    may(
        READ,
        CORE,
        &[
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas",
        ],
    ),
    may(READ, CORE, &["resourcequotas/status", "namespaces"]),
    may(READ, DISCOVERY, &["endpointslices"]),
    may(
        READ,
        APPS,
        &[
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
        ],
    ),
    may(
        READ,
        APPS,
        &[
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
        ],
    ),
    may(
        READ,
        APPS,
        &[
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    may(
        READ,
        AUTOSCALING,
        &[
            "horizontalpodautoscalers",
            "horizontalpodautoscalers/status",
        ],
    ),
    may(
        READ,
        BATCH,
        &["cronjobs", "cronjobs/status", "jobs", "jobs/status"],
    ),
    may(
        READ,
        POLICY,
        &["poddisruptionbudgets", "poddisruptionbudgets/status"],
    ),
    may(
        READ,
        NETWORKING,
        &["ingresses", "ingresses/status", "networkpolicies"],
    ),
];

/// What people who run things in a namespace do; neither quotas nor permissions.
const EDIT: Part = &[
    may(
        READ,
        CORE,
        &[
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "secrets",
            "services/proxy",
        ],
    ),
    may(&["impersonate"], CORE, &["serviceaccounts"]),
    may(
        WRITE,
        CORE,
        &[
            "pods",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
        ],
    ),
    may(CREATE, CORE, &["pods/eviction"]),
    may(
        WRITE,
        CORE,
        &[
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "replicationcontrollers",
        ],
    ),
    may(
        WRITE,
        CORE,
        &[
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
    ),
    may(CREATE, CORE, &["serviceaccounts/token"]),
    may(
        WRITE,
        APPS,
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
        ],
    ),
    may(
        WRITE,
        APPS,
        &[
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    may(WRITE, AUTOSCALING, &["horizontalpodautoscalers"]),
    may(WRITE, BATCH, &["cronjobs", "jobs"]),
    may(WRITE, POLICY, &["poddisruptionbudgets"]),
    may(WRITE, NETWORKING, &["ingresses", "networkpolicies"]),
    may(READ, COORDINATION, &["leases"]),
    may(WRITE, COORDINATION, &["leases"]),
];

/// Giving others permissions in a namespace.
const ADMIN: Part = &[
    may(CREATE, AUTHORIZATION, &["localsubjectaccessreviews"]),
    may(READ, RBAC, &["roles", "rolebindings"]),
    may(WRITE, RBAC, &["roles", "rolebindings"]),
];
