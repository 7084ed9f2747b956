//! The roles and bindings that every cluster begins with, as tables.
//!
//! Names and rules follow Kubernetes' bootstrap policy, so `kubectl auth can-i` answers as people
//! expect; groups and resources that no longer exist are left out. The controllers' own roles are
//! in `controller`. Least privilege: each component gets what its loop reads and writes, and no
//! component is in `system:masters`.

mod controller;

use std::collections::BTreeMap;

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// All cluster-wide roles, labelled as Kubernetes labels its defaults.
pub fn cluster_roles() -> Vec<ClusterRole> {
    let components = ROLES
        .iter()
        .map(|(name, rules)| ((*name).to_owned(), rules.concat()));
    let controllers = controller::ROLES
        .iter()
        .map(|(name, rules)| (controller_role(name), rules.to_vec()));
    components
        .chain(controllers)
        .map(|(name, rules)| ClusterRole {
            metadata: metadata(name),
            rules: Some(rules.iter().map(PolicyRule::from).collect()),
            aggregation_rule: None,
        })
        .collect()
}

/// All cluster-wide bindings.
pub fn cluster_role_bindings() -> Vec<ClusterRoleBinding> {
    let components = BINDINGS.iter().map(|(name, role, subjects)| {
        let subjects = subjects.iter().map(Subject::from).collect();
        binding((*name).to_owned(), (*role).to_owned(), subjects)
    });
    let controllers = controller::ROLES.iter().map(|(name, _)| {
        let account = Subject::from(&Account("kube-system", name));
        binding(controller_role(name), controller_role(name), vec![account])
    });
    components.chain(controllers).collect()
}

fn controller_role(name: &str) -> String {
    format!("system:controller:{name}")
}

/// Who gets a role.
enum To {
    Group(&'static str),
    User(&'static str),
    Account(&'static str, &'static str),
}
use To::{Account, Group, User};

/// One rule, over constants.
#[derive(Clone, Copy)]
struct Rule {
    verbs: &'static [&'static str],
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    names: &'static [&'static str],
    paths: &'static [&'static str],
}

/// These verbs on these resources of these groups.
const fn may(verbs: Words, groups: Words, resources: Words) -> Rule {
    Rule {
        verbs,
        groups,
        resources,
        names: &[],
        paths: &[],
    }
}

/// The same, for objects of these names alone.
const fn may_named(verbs: Words, groups: Words, resources: Words, names: Words) -> Rule {
    Rule {
        verbs,
        groups,
        resources,
        names,
        paths: &[],
    }
}

/// These verbs on paths that are no resources.
const fn may_path(verbs: Words, paths: Words) -> Rule {
    Rule {
        verbs,
        groups: &[],
        resources: &[],
        names: &[],
        paths,
    }
}

type Words = &'static [&'static str];

const ALL: Words = &["*"];
const READ: Words = &["get", "list", "watch"];
const FOLLOW: Words = &["list", "watch"];
const WRITE: Words = &["create", "update", "patch", "delete", "deletecollection"];
const CREATE: Words = &["create"];
const GET: Words = &["get"];
const UPDATE: Words = &["update"];
const CHANGE: Words = &["update", "patch"];

const CORE: Words = &[""];
const APPS: Words = &["apps"];
const AUTHENTICATION: Words = &["authentication.k8s.io"];
const AUTHORIZATION: Words = &["authorization.k8s.io"];
const AUTOSCALING: Words = &["autoscaling"];
const BATCH: Words = &["batch"];
const CERTIFICATES: Words = &["certificates.k8s.io"];
const COORDINATION: Words = &["coordination.k8s.io"];
const DISCOVERY: Words = &["discovery.k8s.io"];
const NETWORKING: Words = &["networking.k8s.io"];
const NODE: Words = &["node.k8s.io"];
const POLICY: Words = &["policy"];
const RBAC: Words = &["rbac.authorization.k8s.io"];
const SCHEDULING: Words = &["scheduling.k8s.io"];
const STORAGE: Words = &["storage.k8s.io"];

/// Whoever acts on objects reports about them.
const EVENTS: Rule = may(
    &["create", "update", "patch"],
    &["", "events.k8s.io"],
    &["events"],
);
/// Whoever serves requests of its own asks the server who calls, and whether they may.
const REVIEW_TOKENS: Rule = may(CREATE, AUTHENTICATION, &["tokenreviews"]);
const REVIEW_ACCESS: Rule = may(CREATE, AUTHORIZATION, &["subjectaccessreviews"]);

/// What is in a namespace and gives nobody more power by being seen: no secrets.
const VIEW: &[Rule] = &[
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
const EDIT: &[Rule] = &[
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
const ADMIN: &[Rule] = &[
    may(CREATE, AUTHORIZATION, &["localsubjectaccessreviews"]),
    may(READ, RBAC, &["roles", "rolebindings"]),
    may(WRITE, RBAC, &["roles", "rolebindings"]),
];

/// Roles by name; a role's rules are those of all its parts.
const ROLES: &[(&str, &[&[Rule]])] = &[
    (
        "cluster-admin",
        &[&[may(ALL, ALL, ALL), may_path(ALL, ALL)]],
    ),
    ("view", &[VIEW]),
    ("edit", &[VIEW, EDIT]),
    ("admin", &[VIEW, EDIT, ADMIN]),
    (
        "system:public-info-viewer",
        &[&[may_path(
            GET,
            &["/healthz", "/livez", "/readyz", "/version", "/version/"],
        )]],
    ),
    (
        "system:discovery",
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
        &[&[
            may(
                CREATE,
                AUTHORIZATION,
                &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            ),
            may(CREATE, AUTHENTICATION, &["selfsubjectreviews"]),
        ]],
    ),
    (
        "system:monitoring",
        &[&[
            may_path(
                GET,
                &["/metrics", "/metrics/slis", "/livez", "/readyz", "/healthz"],
            ),
            may_path(GET, &["/livez/*", "/readyz/*", "/healthz/*"]),
        ]],
    ),
    ("system:auth-delegator", &[&[REVIEW_TOKENS, REVIEW_ACCESS]]),
    (
        "system:kube-scheduler",
        &[&[
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
                ],
            ),
        ]],
    ),
    (
        "system:kube-controller-manager",
        &[&[
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
        ]],
    ),
    (
        "system:node",
        &[&[
            EVENTS,
            REVIEW_TOKENS,
            may(
                CREATE,
                AUTHORIZATION,
                &["subjectaccessreviews", "localsubjectaccessreviews"],
            ),
            may(READ, CORE, &["services", "pods", "configmaps", "secrets"]),
            may(
                &["create", "get", "list", "watch", "update", "patch"],
                CORE,
                &["nodes"],
            ),
            may(CHANGE, CORE, &["nodes/status", "pods/status"]),
            // Mirror pods of what the node runs by itself.
            may(&["create", "delete"], CORE, &["pods"]),
            may(CREATE, CORE, &["pods/eviction", "serviceaccounts/token"]),
            may(
                GET,
                CORE,
                &[
                    "endpoints",
                    "persistentvolumeclaims",
                    "persistentvolumes",
                    "serviceaccounts",
                ],
            ),
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
            may(
                &["get", "create", "update", "patch", "delete"],
                COORDINATION,
                &["leases"],
            ),
            may(READ, NODE, &["runtimeclasses"]),
            may(GET, STORAGE, &["volumeattachments"]),
            may(READ, STORAGE, &["csidrivers"]),
            may(
                &["get", "create", "update", "patch", "delete"],
                STORAGE,
                &["csinodes"],
            ),
        ]],
    ),
    (
        "system:node-proxier",
        &[&[
            EVENTS,
            may(FOLLOW, CORE, &["services", "endpoints"]),
            may(READ, CORE, &["nodes"]),
            may(FOLLOW, DISCOVERY, &["endpointslices"]),
            may(FOLLOW, NETWORKING, &["servicecidrs"]),
        ]],
    ),
    (
        "system:kube-dns",
        &[&[
            may(FOLLOW, CORE, &["endpoints", "services"]),
            may(FOLLOW, DISCOVERY, &["endpointslices"]),
        ]],
    ),
    // What the server itself may do on nodes, when it relays logs, exec, attach and port-forward.
    (
        "system:kube-apiserver-to-kubelet",
        &[&[
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
        ]],
    ),
    // Fills the stores that the components of one process share; writes nothing.
    (
        "system:informer-hub",
        &[&[
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
            may(READ, COORDINATION, &["leases"]),
            may(READ, DISCOVERY, &["endpointslices"]),
            may(
                READ,
                NETWORKING,
                &["ingresses", "networkpolicies", "servicecidrs"],
            ),
            may(READ, NODE, &["runtimeclasses"]),
            may(READ, POLICY, &["poddisruptionbudgets"]),
            may(READ, SCHEDULING, &["priorityclasses"]),
            may(
                READ,
                STORAGE,
                &[
                    "csidrivers",
                    "csinodes",
                    "storageclasses",
                    "volumeattachments",
                ],
            ),
        ]],
    ),
];

/// Bindings: their name, the role, to whom.
const BINDINGS: &[(&str, &str, &[To])] = &[
    ("cluster-admin", "cluster-admin", &[Group("system:masters")]),
    (
        "kubeadm:cluster-admins",
        "cluster-admin",
        &[Group("kubeadm:cluster-admins")],
    ),
    (
        "system:basic-user",
        "system:basic-user",
        &[Group("system:authenticated")],
    ),
    (
        "system:discovery",
        "system:discovery",
        &[Group("system:authenticated")],
    ),
    (
        "system:public-info-viewer",
        "system:public-info-viewer",
        &[
            Group("system:authenticated"),
            Group("system:unauthenticated"),
        ],
    ),
    (
        "system:monitoring",
        "system:monitoring",
        &[Group("system:monitoring")],
    ),
    (
        "system:kube-scheduler",
        "system:kube-scheduler",
        &[User("system:kube-scheduler")],
    ),
    (
        "system:kube-controller-manager",
        "system:kube-controller-manager",
        &[User("system:kube-controller-manager")],
    ),
    ("system:node", "system:node", &[Group("system:nodes")]),
    (
        "system:node-proxier",
        "system:node-proxier",
        &[User("system:kube-proxy")],
    ),
    (
        "system:kube-dns",
        "system:kube-dns",
        &[
            Account("kube-system", "kube-dns"),
            Account("kube-system", "coredns"),
        ],
    ),
    (
        "system:kube-apiserver-to-kubelet",
        "system:kube-apiserver-to-kubelet",
        &[User("kube-apiserver-kubelet-client")],
    ),
    (
        "system:informer-hub",
        "system:informer-hub",
        &[User("system:informer-hub")],
    ),
];

fn metadata(name: String) -> ObjectMeta {
    let pair = |key: &str, value: &str| Some(BTreeMap::from([(key.to_owned(), value.to_owned())]));
    ObjectMeta {
        name: Some(name),
        labels: pair("kubernetes.io/bootstrapping", "rbac-defaults"),
        annotations: pair("rbac.authorization.kubernetes.io/autoupdate", "true"),
        ..ObjectMeta::default()
    }
}

fn binding(name: String, role: String, subjects: Vec<Subject>) -> ClusterRoleBinding {
    let role_ref = RoleRef {
        api_group: Some(RBAC[0].to_owned()),
        kind: "ClusterRole".to_owned(),
        name: role,
    };
    ClusterRoleBinding {
        metadata: metadata(name),
        role_ref,
        subjects: Some(subjects),
    }
}

impl From<&Rule> for PolicyRule {
    fn from(rule: &Rule) -> Self {
        let words = |words: Words| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let some = |list: Words| Some(words(list)).filter(|words| !words.is_empty());
        PolicyRule {
            verbs: words(rule.verbs),
            api_groups: some(rule.groups),
            resources: some(rule.resources),
            resource_names: some(rule.names),
            non_resource_urls: some(rule.paths),
        }
    }
}

impl From<&To> for Subject {
    fn from(to: &To) -> Self {
        let group = || Some(RBAC[0].to_owned());
        let (kind, name, api_group, namespace) = match to {
            Group(name) => ("Group", name, group(), None),
            User(name) => ("User", name, group(), None),
            Account(namespace, name) => {
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
