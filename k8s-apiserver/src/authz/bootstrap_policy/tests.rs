use std::sync::Arc;

use super::*;
use crate::{
    RequestInfo,
    authz::{
        Attributes, Authorizer, Decision,
        rbac::{MemoryRules, Rbac},
    },
};

use crate::User as Identity;

/// `+ METHOD uri` must be allowed, `- METHOD uri` must not.
#[track_caller]
fn check(user: Identity, table: &str) {
    let rbac = Rbac::new(Arc::new(MemoryRules::bootstrap()));
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [sign, method, uri] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let decision = futures::executor::block_on(rbac.authorize(&Attributes::of(&user, &info)));
        assert_eq!(
            matches!(decision, Decision::Allow(_)),
            sign == "+",
            "{}: {line}",
            user.name
        );
    }
}

fn controller(name: &str) -> Identity {
    Identity::service_account("kube-system", name)
}

#[test]
fn the_unknown_see_health_and_version() {
    check(
        Identity::anonymous(),
        "+ GET /version
         + GET /healthz
         + GET /readyz?verbose
         - GET /metrics
         - GET /api
         - GET /api/v1/namespaces/default/pods",
    );
}

#[test]
fn the_known_discover_and_ask_about_themselves() {
    check(
        Identity::new("jane").in_group("system:authenticated"),
        "+ GET /api
         + GET /apis/apps/v1
         + GET /openapi/v3/api/v1
         + POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews
         - POST /apis/authorization.k8s.io/v1/subjectaccessreviews
         - GET /api/v1/namespaces/default/pods",
    );
}

#[test]
fn administrators_do_everything_by_rbac() {
    check(
        Identity::new("kubernetes-admin").in_group("kubeadm:cluster-admins"),
        "+ DELETE /api/v1/nodes/n
         + GET /metrics
         + PATCH /apis/example.com/v1/namespaces/a/widgets/w",
    );
}

#[test]
fn the_scheduler_binds_pods_and_makes_none() {
    check(
        Identity::new("system:kube-scheduler"),
        "+ GET /api/v1/pods?watch=1
         + GET /api/v1/nodes
         + POST /api/v1/namespaces/a/pods/p/binding
         + PATCH /api/v1/namespaces/a/pods/p/status
         + POST /apis/events.k8s.io/v1/namespaces/a/events
         - POST /api/v1/namespaces/a/pods
         - GET /api/v1/secrets
         - PATCH /api/v1/nodes/n/status",
    );
}

#[test]
fn no_role_gives_nodes_anything() {
    check(
        Identity::node("n1"),
        "- POST /api/v1/nodes
         - GET /api/v1/namespaces/a/secrets/s
         - PUT /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1",
    );
}

#[test]
fn the_proxy_and_dns_only_follow_services() {
    check(
        Identity::new("system:kube-proxy"),
        "+ GET /api/v1/services?watch=1
         + GET /apis/discovery.k8s.io/v1/endpointslices
         + GET /api/v1/nodes/n
         - GET /api/v1/pods
         - PUT /api/v1/namespaces/a/services/s",
    );
    check(
        Identity::service_account("kube-system", "coredns"),
        "+ GET /api/v1/services?watch=1
         + GET /apis/discovery.k8s.io/v1/endpointslices
         + PATCH /api/v1/namespaces/kube-system/services/kube-dns
         - GET /api/v1/secrets
         - PUT /api/v1/namespaces/a/services/s",
    );
}

#[test]
fn controllers_write_what_they_control() {
    check(
        controller("deployment-controller"),
        "+ POST /apis/apps/v1/namespaces/a/replicasets
         + PUT /apis/apps/v1/namespaces/a/deployments/d/status
         - POST /api/v1/namespaces/a/pods
         - GET /api/v1/secrets",
    );
    check(
        controller("replicaset-controller"),
        "+ POST /api/v1/namespaces/a/pods
         + DELETE /api/v1/namespaces/a/pods/p
         + PUT /apis/apps/v1/namespaces/a/replicasets/r/status
         - POST /apis/apps/v1/namespaces/a/replicasets",
    );
    check(
        controller("endpointslice-controller"),
        "+ POST /apis/discovery.k8s.io/v1/namespaces/a/endpointslices
         - POST /api/v1/namespaces/a/endpoints",
    );
    check(
        controller("endpoint-controller"),
        "+ PUT /api/v1/namespaces/a/endpoints/e
         - PUT /api/v1/namespaces/a/services/s",
    );
    check(
        controller("namespace-controller"),
        "+ DELETE /api/v1/namespaces/a/configmaps
         + PUT /api/v1/namespaces/a/finalize
         - POST /api/v1/namespaces",
    );
    check(
        controller("generic-garbage-collector"),
        "+ DELETE /apis/example.com/v1/namespaces/a/widgets/w
         + PATCH /api/v1/namespaces/a/pods/p
         - POST /api/v1/namespaces/a/pods",
    );
    check(
        controller("pod-garbage-collector"),
        "+ DELETE /api/v1/namespaces/a/pods/p
         + PATCH /api/v1/namespaces/a/pods/p/status
         - PATCH /api/v1/nodes/n",
    );
    check(
        controller("disruption-controller"),
        "+ PUT /apis/policy/v1/namespaces/a/poddisruptionbudgets/b/status
         + PATCH /api/v1/namespaces/a/pods/p/status
         + GET /apis/example.com/v1/namespaces/a/widgets/w/scale
         - GET /apis/example.com/v1/namespaces/a/widgets/w
         - POST /api/v1/namespaces/a/pods/p/eviction",
    );
    check(
        controller("service-account-controller"),
        "+ POST /api/v1/namespaces/a/serviceaccounts
         - POST /api/v1/namespaces/a/secrets",
    );
    check(
        controller("node-controller"),
        "+ PATCH /api/v1/nodes/n
         + DELETE /api/v1/namespaces/a/pods/p
         + GET /apis/coordination.k8s.io/v1/leases
         - POST /api/v1/nodes",
    );
}

#[test]
fn whoever_counts_sees_all_and_writes_what_was_counted() {
    check(
        controller("resourcequota-controller"),
        "+ GET /apis/example.com/v1/namespaces/a/widgets
         + GET /api/v1/pods?watch=1
         + PUT /api/v1/namespaces/a/resourcequotas/q/status
         - PUT /api/v1/namespaces/a/resourcequotas/q
         - GET /api/v1/namespaces/a/secrets/s",
    );
}

#[test]
fn the_informer_hub_reads_and_writes_nothing() {
    check(
        Identity::new("system:informer-hub"),
        "+ GET /api/v1/pods?watch=1
         + GET /api/v1/secrets
         + GET /apis/apps/v1/deployments
         - POST /api/v1/namespaces/a/events
         - DELETE /api/v1/namespaces/a/pods/p",
    );
}

#[test]
fn the_servers_own_certificate_reaches_into_nodes_alone() {
    check(
        Identity::new("kube-apiserver-kubelet-client"),
        "+ GET /api/v1/nodes/n/proxy/containerLogs/a/p/c
         + POST /api/v1/nodes/n/proxy/exec/a/p/c
         - GET /api/v1/pods
         - DELETE /api/v1/nodes/n",
    );
}

#[test]
fn editing_does_not_include_giving_permissions() {
    let rules = |name: &str| {
        let roles = cluster_roles();
        let role = roles
            .into_iter()
            .find(|role| role.metadata.name.as_deref() == Some(name))
            .unwrap();
        role.rules.unwrap()
    };
    let writes = |name: &str, resource: &str| {
        rules(name).iter().any(|rule| {
            rule.verbs.contains(&"create".to_owned())
                && rule.resources.iter().flatten().any(|each| each == resource)
        })
    };
    assert!(
        writes("edit", "deployments")
            && !writes("edit", "rolebindings")
            && writes("admin", "rolebindings")
    );
    assert!(!writes("view", "deployments"));
    assert!(!rules("view").iter().any(|rule| {
        rule.resources
            .iter()
            .flatten()
            .any(|each| each == "secrets")
    }));
}

#[test]
fn every_binding_finds_its_role() {
    let roles: Vec<_> = cluster_roles()
        .into_iter()
        .filter_map(|role| role.metadata.name)
        .collect();
    for binding in cluster_role_bindings() {
        assert!(
            roles.contains(&binding.role_ref.name),
            "{}",
            binding.role_ref.name
        );
    }
}

#[test]
fn certificates_are_signed_but_never_asked_for_by_their_controller() {
    check(
        controller("certificate-controller"),
        "+ GET /apis/certificates.k8s.io/v1/certificatesigningrequests?watch=1
         + PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/r/approval
         + PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/r/status
         + DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/r
         - POST /apis/certificates.k8s.io/v1/certificatesigningrequests
         - GET /api/v1/secrets",
    );
}

#[test]
fn service_accounts_may_learn_how_to_verify_tokens() {
    check(
        Identity::service_account("default", "builder"),
        "+ GET /openid/v1/jwks
         + GET /.well-known/openid-configuration
         - GET /openid/v1",
    );
    check(
        Identity::new("jane").in_group("system:authenticated"),
        "- GET /openid/v1/jwks",
    );
}
