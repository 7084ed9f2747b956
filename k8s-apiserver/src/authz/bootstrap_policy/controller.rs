//! What each built-in controller may do: the role `system:controller:<name>`, bound to its service
//! account `kube-system/<name>`.

use super::certificate;
use super::rule::{
    ALL, APPS, CHANGE, COORDINATION, CORE, CREATE, DISCOVERY, EVENTS, FOLLOW, GET, POLICY, READ,
    Rule, STORAGE, UPDATE, Words, may,
};

/// What a controller needs to put finalizers on and take them off.
const HOLD: Words = &["get", "list", "watch", "update"];

/// Rules by controller.
pub(super) const ROLES: &[(&str, &[Rule])] = &[
    (
        "deployment-controller",
        &[
            EVENTS,
            may(&["get", "list", "watch", "update"], APPS, &["deployments"]),
            may(CHANGE, APPS, &["deployments/status"]),
            may(UPDATE, APPS, &["deployments/finalizers"]),
            may(
                &[
                    "get", "list", "watch", "create", "update", "patch", "delete",
                ],
                APPS,
                &["replicasets"],
            ),
            may(&["get", "list", "watch", "update"], CORE, &["pods"]),
        ],
    ),
    (
        "replicaset-controller",
        &[
            EVENTS,
            may(&["get", "list", "watch", "update"], APPS, &["replicasets"]),
            may(CHANGE, APPS, &["replicasets/status"]),
            may(UPDATE, APPS, &["replicasets/finalizers"]),
            may(
                &["get", "list", "watch", "create", "delete", "patch"],
                CORE,
                &["pods"],
            ),
        ],
    ),
    (
        "statefulset-controller",
        &[
            EVENTS,
            may(READ, APPS, &["statefulsets"]),
            may(
                UPDATE,
                APPS,
                &["statefulsets/status", "statefulsets/finalizers"],
            ),
            may(
                &[
                    "get", "list", "watch", "create", "update", "patch", "delete",
                ],
                APPS,
                &["controllerrevisions"],
            ),
            may(
                &[
                    "get", "list", "watch", "create", "update", "patch", "delete",
                ],
                CORE,
                &["pods"],
            ),
            may(
                &["get", "list", "watch", "create", "update"],
                CORE,
                &["persistentvolumeclaims"],
            ),
        ],
    ),
    (
        "disruption-controller",
        &[
            EVENTS,
            may(READ, APPS, &["deployments", "replicasets", "statefulsets"]),
            may(READ, CORE, &["replicationcontrollers"]),
            may(READ, POLICY, &["poddisruptionbudgets"]),
            may(CHANGE, CORE, &["pods/status"]),
            may(UPDATE, POLICY, &["poddisruptionbudgets/status"]),
            // Pods may be of any kind that scales.
            may(GET, ALL, &["*/scale"]),
        ],
    ),
    (
        "endpoint-controller",
        &[
            EVENTS,
            may(READ, CORE, &["services", "pods"]),
            may(
                &["get", "list", "watch", "create", "update", "delete"],
                CORE,
                &["endpoints"],
            ),
            may(CREATE, CORE, &["endpoints/restricted"]),
        ],
    ),
    (
        "endpointslice-controller",
        &[
            EVENTS,
            may(READ, CORE, &["services", "pods", "nodes"]),
            // Its slices name their service as an owner that blocks deletion.
            may(UPDATE, CORE, &["services/finalizers"]),
            may(
                &["get", "list", "watch", "create", "update", "delete"],
                DISCOVERY,
                &["endpointslices"],
            ),
        ],
    ),
    (
        "namespace-controller",
        &[
            may(&["get", "list", "watch", "delete"], CORE, &["namespaces"]),
            may(UPDATE, CORE, &["namespaces/finalize", "namespaces/status"]),
            // Whatever is in a namespace that goes.
            may(&["get", "list", "delete", "deletecollection"], ALL, ALL),
        ],
    ),
    (
        "generic-garbage-collector",
        // Any object may be owned, so any may have to go.
        &[
            EVENTS,
            may(
                &["get", "list", "watch", "patch", "update", "delete"],
                ALL,
                ALL,
            ),
        ],
    ),
    (
        "service-account-controller",
        &[
            EVENTS,
            may(READ, CORE, &["namespaces", "serviceaccounts"]),
            may(CREATE, CORE, &["serviceaccounts"]),
        ],
    ),
    ("certificate-controller", certificate::CONTROLLER),
    (
        "pod-garbage-collector",
        &[
            may(&["get", "list", "watch", "delete"], CORE, &["pods"]),
            may(READ, CORE, &["nodes"]),
            may(&["patch"], CORE, &["pods/status"]),
        ],
    ),
    (
        "pvc-protection-controller",
        &[
            EVENTS,
            may(HOLD, CORE, &["persistentvolumeclaims"]),
            may(READ, CORE, &["pods"]),
        ],
    ),
    (
        "pv-protection-controller",
        &[EVENTS, may(HOLD, CORE, &["persistentvolumes"])],
    ),
    (
        "volumeattributesclass-protection-controller",
        &[
            EVENTS,
            may(READ, CORE, &["persistentvolumeclaims", "persistentvolumes"]),
            may(HOLD, STORAGE, &["volumeattributesclasses"]),
        ],
    ),
    (
        "resourcequota-controller",
        // Any object may be counted.
        &[
            EVENTS,
            may(FOLLOW, ALL, ALL),
            may(UPDATE, CORE, &["resourcequotas/status"]),
        ],
    ),
    (
        "root-ca-cert-publisher",
        &[
            EVENTS,
            may(READ, CORE, &["namespaces"]),
            may(&["get", "create", "update"], CORE, &["configmaps"]),
        ],
    ),
    (
        "node-controller",
        &[
            EVENTS,
            may(
                &["get", "list", "watch", "update", "patch", "delete"],
                CORE,
                &["nodes"],
            ),
            may(CHANGE, CORE, &["nodes/status", "pods/status"]),
            may(&["get", "list", "watch", "delete"], CORE, &["pods"]),
            may(READ, COORDINATION, &["leases"]),
        ],
    ),
];
