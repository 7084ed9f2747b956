use serde_json::{Value, json};

use super::*;
use crate::{RequestInfo, User, authz::bootstrap_policy};

/// Pod `shop/web` runs on `n1`, uses a secret, a config map, a claim whose volume needs a secret, and
/// a resource claim; pod `shop/other` runs on `n2`.
struct Shop;

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn web() -> Object {
    object(json!({
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "nodeName": "n1",
            "serviceAccountName": "seller",
            "volumes": [
                { "secret": { "secretName": "password" } },
                { "configMap": { "name": "prices" } },
                { "persistentVolumeClaim": { "claimName": "data" } },
            ],
            "resourceClaims": [{ "resourceClaimName": "gpu" }],
        },
    }))
}

fn volume() -> Object {
    object(json!({
        "metadata": { "name": "pv" },
        "spec": {
            "claimRef": { "namespace": "shop", "name": "data" },
            "csi": { "nodeStageSecretRef": { "namespace": "storage", "name": "key" } },
        },
    }))
}

impl NodeObjects for Shop {
    fn pods_on(&self, namespace: &str, node: &str) -> Vec<Object> {
        match (namespace, node) {
            ("shop", "n1") => vec![web()],
            _ => Vec::new(),
        }
    }

    fn get(&self, _: &str, resource: &str, _: &str, name: &str) -> Option<Object> {
        match (resource, name) {
            ("pods", "web") => Some(web()),
            ("pods", "other") => Some(object(json!({ "spec": { "nodeName": "n2" } }))),
            ("volumeattachments", "va") | ("resourceslices", "slice") => {
                Some(object(json!({ "spec": { "nodeName": "n1" } })))
            }
            ("persistentvolumes", "pv") => Some(volume()),
            _ => None,
        }
    }

    fn volumes(&self) -> Vec<Object> {
        vec![volume()]
    }
}

/// `+ METHOD uri` is allowed; `- METHOD uri: reason` is not, for that reason.
#[track_caller]
fn check(user: User, table: &str) {
    let nodes = NodeAuthorizer::new(Arc::new(Shop), bootstrap_policy::node_rules());
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (question, reason) = line.split_once(": ").unwrap_or((line, ""));
        let question = question.trim_end_matches(':');
        let [sign, method, uri] = question.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let decided = futures::executor::block_on(nodes.authorize(&Attributes::of(&user, &info)));
        let want = match sign {
            "+" => Decision::Allow(String::new()),
            _ => Decision::NoOpinion(reason.to_owned()),
        };
        assert_eq!(decided, want, "{line}");
    }
}

#[test]
fn a_node_reads_what_its_pods_refer_to() {
    check(
        User::node("n1"),
        "+ GET /api/v1/namespaces/shop/secrets/password
         + GET /api/v1/namespaces/shop/secrets?watch=1&fieldSelector=metadata.name%3Dpassword
         + GET /api/v1/namespaces/shop/configmaps/prices
         + GET /api/v1/namespaces/shop/persistentvolumeclaims/data
         + PATCH /api/v1/namespaces/shop/persistentvolumeclaims/data/status
         + GET /api/v1/persistentvolumes/pv
         + GET /api/v1/namespaces/storage/secrets/key
         + GET /api/v1/namespaces/shop/pods/web
         + POST /api/v1/namespaces/shop/serviceaccounts/seller/token
         + GET /apis/resource.k8s.io/v1/namespaces/shop/resourceclaims/gpu
         + GET /apis/storage.k8s.io/v1/volumeattachments/va
         + PATCH /apis/resource.k8s.io/v1/resourceslices/slice",
    );
}

#[test]
fn a_node_reads_nothing_that_only_other_nodes_need() {
    check(
        User::node("n2"),
        "- GET /api/v1/namespaces/shop/secrets/password: no relationship found between node 'n2' and this object
         - GET /api/v1/namespaces/storage/secrets/key: no relationship found between node 'n2' and this object
         - GET /api/v1/namespaces/shop/configmaps/prices: no relationship found between node 'n2' and this object
         - GET /api/v1/persistentvolumes/pv: no relationship found between node 'n2' and this object
         - GET /api/v1/namespaces/shop/pods/web: no relationship found between node 'n2' and this object
         + GET /api/v1/namespaces/shop/pods/other
         - POST /api/v1/namespaces/shop/serviceaccounts/seller/token: no relationship found between node 'n2' and this object
         - GET /apis/storage.k8s.io/v1/volumeattachments/va: no relationship found between node 'n2' and this object
         - DELETE /apis/resource.k8s.io/v1/resourceslices/slice: no relationship found between node 'n2' and this object",
    );
    check(
        User::node("n1"),
        "- GET /api/v1/namespaces/shop/secrets/other: no relationship found between node 'n1' and this object
         - GET /api/v1/namespaces/bank/secrets/password: no relationship found between node 'n1' and this object",
    );
}

#[test]
fn a_node_reads_no_collections_but_its_own_pods() {
    check(
        User::node("n1"),
        "- GET /api/v1/namespaces/shop/secrets: No Object name found
         - GET /api/v1/secrets: can only read namespaced object of this type
         - PUT /api/v1/namespaces/shop/secrets/password: can only read resources of this type
         - GET /api/v1/persistentvolumes: can only get individual resources of this type
         - PUT /api/v1/persistentvolumes/pv/status: can only get individual resources of this type
         - GET /api/v1/persistentvolumes/pv/status: cannot get subresource
         - GET /api/v1/namespaces/shop/persistentvolumeclaims/data/status: can only get/update/patch this type
         - GET /api/v1/nodes: node 'n1' cannot read all nodes, only its own Node object
         - GET /api/v1/nodes/n2: node 'n1' cannot read 'n2', only its own Node object
         + GET /api/v1/nodes/n1
         + GET /api/v1/nodes?watch=1&fieldSelector=metadata.name%3Dn1
         + POST /api/v1/nodes
         + PATCH /api/v1/nodes/n1/status
         - DELETE /api/v1/nodes/n1:
         - GET /api/v1/pods: can only list/watch pods with spec.nodeName field selector
         - GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn2: can only list/watch pods with spec.nodeName field selector
         - GET /api/v1/pods?fieldSelector=spec.nodeName!%3Dn1: can only list/watch pods with spec.nodeName field selector
         + GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1
         + GET /api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning
         + PATCH /api/v1/namespaces/shop/pods/web/status
         + POST /api/v1/namespaces/shop/pods/web/eviction
         - PATCH /api/v1/namespaces/shop/pods/web:
         - GET /apis/resource.k8s.io/v1/resourceslices: can only list/watch/deletecollection resourceslices with nodeName field selector
         + GET /apis/resource.k8s.io/v1/resourceslices?fieldSelector=nodeName%3Dn1",
    );
}

#[test]
fn a_node_keeps_its_own_lease_and_csi_node() {
    check(
        User::node("n1"),
        "+ PUT /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1
         + POST /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases
         - GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases: can only get, create, update, patch, or delete a node lease
         - GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/n1: can only access leases in the \"kube-node-lease\" system namespace
         - GET /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2: can only access node lease with the same name as the requesting node
         + POST /apis/storage.k8s.io/v1/csinodes
         + PATCH /apis/storage.k8s.io/v1/csinodes/n1
         - PATCH /apis/storage.k8s.io/v1/csinodes/n2: can only access CSINode with the same name as the requesting node
         - GET /apis/storage.k8s.io/v1/csinodes: can only get, create, update, patch, or delete a CSINode
         - POST /api/v1/namespaces/shop/serviceaccounts: can only create tokens for individual service accounts
         - GET /api/v1/namespaces/shop/serviceaccounts/seller: can only create tokens for individual service accounts
         + POST /apis/certificates.k8s.io/v1/certificatesigningrequests
         + GET /api/v1/services
         - GET /apis/apps/v1/deployments:",
    );
}

#[test]
fn others_are_not_this_authorizers_business() {
    let uri = "- GET /api/v1/namespaces/shop/secrets/password:";
    check(User::new("jane"), uri);
    check(User::new("system:node:n1"), uri);
    check(User::new("jane").in_group("system:nodes"), uri);
    let nameless = User::node("");
    check(
        nameless,
        &format!("{uri} unknown node for user \"system:node:\""),
    );
}
