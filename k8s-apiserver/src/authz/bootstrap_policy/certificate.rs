//! Roles about requests for certificates: who is approved unseen, and who may approve.

use super::{
    To,
    rule::{CERTIFICATES, CREATE, READ, Rule, UPDATE, may, may_named},
};

/// Roles by name and their rules. Nobody has them from the start: whoever adds nodes binds them.
pub(super) const ROLES: &[(&str, &[To], &[Rule])] = &[
    // A machine that isn't a node yet asks for its certificate.
    (
        "system:node-bootstrapper",
        &[],
        &[may(
            &["create", "get", "list", "watch"],
            CERTIFICATES,
            &["certificatesigningrequests"],
        )],
    ),
    (
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        &[],
        &[may(
            CREATE,
            CERTIFICATES,
            &["certificatesigningrequests/nodeclient"],
        )],
    ),
    (
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        &[],
        &[may(
            CREATE,
            CERTIFICATES,
            &["certificatesigningrequests/selfnodeclient"],
        )],
    ),
    (
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        &[],
        &[approve(&["kubernetes.io/kube-apiserver-client"])],
    ),
    (
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        &[],
        &[approve(&["kubernetes.io/kube-apiserver-client-kubelet"])],
    ),
    (
        "system:certificates.k8s.io:kubelet-serving-approver",
        &[],
        &[approve(&["kubernetes.io/kubelet-serving"])],
    ),
    (
        "system:certificates.k8s.io:legacy-unknown-approver",
        &[],
        &[approve(&["kubernetes.io/legacy-unknown"])],
    ),
];

/// The rules of the controller that approves, signs and cleans up.
pub(super) const CONTROLLER: &[Rule] = &[
    super::rule::EVENTS,
    super::rule::REVIEW_ACCESS,
    may(READ, CERTIFICATES, &["certificatesigningrequests"]),
    may(&["delete"], CERTIFICATES, &["certificatesigningrequests"]),
    may(
        UPDATE,
        CERTIFICATES,
        &[
            "certificatesigningrequests/approval",
            "certificatesigningrequests/status",
        ],
    ),
    approve(&["kubernetes.io/kube-apiserver-client-kubelet"]),
    may_named(
        &["sign"],
        CERTIFICATES,
        &["signers"],
        &[
            "kubernetes.io/legacy-unknown",
            "kubernetes.io/kube-apiserver-client",
            "kubernetes.io/kube-apiserver-client-kubelet",
            "kubernetes.io/kubelet-serving",
        ],
    ),
];

const fn approve(signers: &'static [&'static str]) -> Rule {
    may_named(&["approve"], CERTIFICATES, &["signers"], signers)
}
