//! Through the registry, as nodes `n1` and `n2`: what each may write.

use k8s_apimachinery::Value;
use serde_json::json;

use super::*;
use crate::{
    User,
    admission::world::{self, What},
};

struct World(world::World);

const POD: What<'_> = ("", "pods", "", "default", "p");
const NODE: What<'_> = ("", "nodes", "", "", "n1");
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Each write tells why it is refused; nothing if it isn't.
impl World {
    /// A world with both nodes, and pod `p` on `n1`.
    async fn start() -> Self {
        let world = World(world::World::start(NodeRestriction).await);
        for name in ["n1", "n2"] {
            let node = json!({"metadata": {}, "spec": {"podCIDR": "10.0.0.0/24"}});
            let what = ("", "nodes", "", "", name);
            assert_eq!(world.put(&User::node(name), what, node).await, "");
        }
        assert_eq!(
            world.put(&User::new("admin"), POD, pod(json!({}))).await,
            ""
        );
        world
    }

    async fn put(&self, user: &User, what: What<'_>, object: Value) -> String {
        self.0.put(user, what, object).await.refusal()
    }

    async fn change(&self, user: &User, what: What<'_>, path: &[&str], value: Value) -> String {
        self.0.change(user, what, path, value).await.refusal()
    }

    async fn delete(&self, user: &User, what: What<'_>) -> String {
        self.0.delete(user, what).await.refusal()
    }

    async fn post(&self, user: &User, what: What<'_>, object: Value) -> String {
        self.0.post(user, what, object).await.refusal()
    }

    fn uid(&self, what: What<'_>) -> String {
        self.0.get(what).uid().to_owned()
    }
}

fn n1() -> User {
    User::node("n1")
}

fn n2() -> User {
    User::node("n2")
}

/// A pod on `n1`.
fn pod(spec: Value) -> Value {
    let mut pod = json!({"spec": {
        "nodeName": "n1", "terminationGracePeriodSeconds": 30, "containers": [{"name": "c", "image": "i"}],
    }});
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

#[tokio::test]
async fn others_are_not_restricted() {
    let world = World::start().await;
    let change = world
        .change(
            &User::new("admin"),
            NODE,
            &["spec", "taints"],
            json!([{"key": "a", "effect": "NoSchedule"}]),
        )
        .await;
    assert_eq!(change, "");
    let outside = User::new("system:node:n1");
    assert_eq!(
        world.delete(&outside, ("", "nodes", "", "", "n2")).await,
        ""
    );
}

#[tokio::test]
async fn a_node_changes_itself_alone_and_not_what_draws_pods() {
    let world = World::start().await;
    let change = async |user: &User, path: &[&str], value: Value| {
        world.change(user, NODE, path, value).await
    };
    let app = ["metadata", "labels", "app"];
    assert_eq!(change(&n1(), &app, json!("a")).await, "");
    assert_eq!(
        change(&n2(), &app, json!("b")).await,
        r#"node "n2" is not allowed to modify node "n1""#
    );
    assert_eq!(
        change(
            &n1(),
            &["metadata", "labels", "node-restriction.kubernetes.io/a"],
            json!("a")
        )
        .await,
        "is not allowed to modify labels: node-restriction.kubernetes.io/a"
    );
    let taints = json!([{"key": "a", "effect": "NoSchedule"}]);
    assert_eq!(
        change(&n1(), &["spec", "taints"], taints.clone()).await,
        r#"node "n1" is not allowed to modify taints"#
    );
    assert_eq!(change(&n1(), &["spec", "taints"], json!([])).await, "");
    assert_eq!(
        change(&n1(), &["spec", "configSource"], json!({"configMap": {}})).await,
        r#"node "n1" is not allowed to update configSource to a new non-nil configSource"#
    );
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u"}]);
    assert_eq!(
        change(&n1(), &["metadata", "ownerReferences"], owner).await,
        r#"node "n1" is not allowed to modify ownerReferences"#
    );
    let status = ("", "nodes", "status", "", "n1");
    let phase = ["status", "phase"];
    assert_eq!(
        world.change(&n1(), status, &phase, json!("Running")).await,
        ""
    );
    assert_eq!(
        world.change(&n2(), status, &phase, json!("Running")).await,
        r#"node "n2" is not allowed to modify node "n1""#
    );
    assert_eq!(
        world.delete(&n2(), NODE).await,
        r#"node "n2" is not allowed to modify node "n1""#
    );

    let third = ("", "nodes", "", "", "n3");
    let bare = |spec: Value, labels: Value| json!({"metadata": {"labels": labels}, "spec": spec});
    let n3 = User::node("n3");
    assert_eq!(
        world
            .put(&n3, third, bare(json!({}), json!({"k8s.io/a": "1"})))
            .await,
        r#"node "n3" is not allowed to set the following labels: k8s.io/a"#
    );
    assert_eq!(
        world
            .put(&n3, third, bare(json!({"configSource": {}}), json!({})))
            .await,
        r#"node "n3" is not allowed to create pods with a non-nil configSource"#
    );
    let comes = bare(
        json!({"taints": taints}),
        json!({"kubernetes.io/os": "linux"}),
    );
    assert_eq!(world.put(&n3, third, comes).await, "");
}

#[tokio::test]
async fn a_node_makes_mirrors_of_its_own_pods_alone() {
    let world = World::start().await;
    let node = world.uid(NODE);
    let what = ("", "pods", "", "default", "mirror");
    let mirror = || {
        let mut mirror = pod(json!({}));
        mirror["metadata"]["annotations"][MIRROR] = "x".into();
        mirror["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node, "controller": true,
        }]);
        mirror
    };
    let with = |path: &str, value: Value| {
        let mut mirror = mirror();
        let (parent, field) = path.rsplit_once('/').unwrap();
        mirror.pointer_mut(parent).unwrap()[field] = value;
        mirror
    };
    let owner = "/metadata/ownerReferences";
    let two = json!([{"uid": "a"}, {"uid": "b"}]);
    let volume = |source: Value| {
        let mut volume = source;
        volume["name"] = "v".into();
        with("/spec/volumes", json!([volume]))
    };
    let refused = [
        (
            pod(json!({})),
            r#"pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods"#,
        ),
        (
            with("/spec/nodeName", json!("n2")),
            r#"node "n1" can only create pods with spec.nodeName set to itself"#,
        ),
        (
            with(owner, two),
            r#"node "n1" can only create pods with a single owner reference set to itself"#,
        ),
        (
            with(owner, json!([])),
            r#"node "n1" can only create pods with an owner reference set to itself"#,
        ),
        (
            with("/metadata/ownerReferences/0/name", json!("n2")),
            r#"node "n1" can only create pods with an owner reference set to itself"#,
        ),
        (
            with("/metadata/ownerReferences/0/controller", json!(false)),
            r#"node "n1" can only create pods with a controller owner reference set to itself"#,
        ),
        (
            with(
                "/metadata/ownerReferences/0/blockOwnerDeletion",
                json!(true),
            ),
            r#"node "n1" must not set blockOwnerDeletion on an owner reference"#,
        ),
        (
            with("/spec/serviceAccountName", json!("default")),
            r#"node "n1" can not create pods that reference a service account"#,
        ),
        (
            volume(json!({"secret": {"secretName": "s"}})),
            r#"node "n1" can not create pods that reference secrets"#,
        ),
        (
            volume(json!({"configMap": {"name": "s"}})),
            r#"node "n1" can not create pods that reference configmaps"#,
        ),
        (
            volume(
                json!({"projected": {"sources": [{"clusterTrustBundle": {"name": "b", "path": "p"}}]}}),
            ),
            r#"node "n1" can not create pods that reference clustertrustbundles"#,
        ),
        (
            volume(json!({"persistentVolumeClaim": {"claimName": "c"}})),
            r#"node "n1" can not create pods that reference persistentvolumeclaims"#,
        ),
    ];
    for (object, why) in refused {
        assert_eq!(world.put(&n1(), what, object).await, why);
    }
    let stranger = with("/metadata/ownerReferences/0/uid", json!("u"));
    assert_eq!(
        world.put(&n1(), what, stranger).await,
        format!("node n1 UID mismatch: expected u got {node}")
    );
    assert_eq!(world.put(&n1(), what, mirror()).await, "");
    assert_eq!(
        world
            .change(&n1(), what, &["metadata", "labels", "a"], json!("b"))
            .await,
        r#"unexpected operation "UPDATE", node "n1" can only create and delete mirror pods"#
    );
}

#[tokio::test]
async fn a_node_reports_on_its_pods_and_ends_them() {
    let world = World::start().await;
    let status = ("", "pods", "status", "default", "p");
    let phase = ["status", "phase"];
    assert_eq!(
        world.change(&n1(), status, &phase, json!("Running")).await,
        ""
    );
    assert_eq!(
        world.change(&n2(), status, &phase, json!("Failed")).await,
        r#"node "n2" can only update pod status for pods with spec.nodeName set to itself"#
    );
    assert_eq!(
        world
            .change(&n1(), status, &["metadata", "labels", "a"], json!("b"))
            .await,
        r#"node "n1" cannot update labels through pod status"#
    );
    let claims = json!([{"name": "c", "resourceClaimName": "other"}]);
    assert_eq!(
        world
            .change(&n1(), status, &["status", "resourceClaimStatuses"], claims)
            .await,
        r#"node "n1" cannot update resource claim statues"#
    );
    let part = ("", "pods", "resize", "default", "p");
    assert_eq!(
        world.change(&n1(), part, &["spec", "x"], json!(1)).await,
        r#"unexpected pod subresource "resize", only 'status' and 'eviction' are allowed"#
    );
    let eviction = ("", "pods", "eviction", "default", "p");
    assert_eq!(
        world.post(&n2(), eviction, json!({})).await,
        "node n2 can only evict pods with spec.nodeName set to itself"
    );
    assert_eq!(world.post(&n1(), eviction, json!({})).await, "");
    let nobody = ("", "pods", "eviction", "default", "nobody");
    assert_eq!(
        world.post(&n1(), nobody, json!({})).await,
        r#"pods "nobody" not found"#
    );
    assert_eq!(
        world.delete(&n2(), POD).await,
        r#"node "n2" can only delete pods with spec.nodeName set to itself"#
    );
    assert_eq!(world.delete(&n1(), POD).await, "");
}

#[tokio::test]
async fn leases_and_their_like_carry_the_nodes_name() {
    let world = World::start().await;
    let lease = |namespace, name| ("coordination.k8s.io", "leases", "", namespace, name);
    let spec = || json!({"metadata": {}, "spec": {}});
    let nodes = "kube-node-lease";
    assert_eq!(world.put(&n1(), lease(nodes, "n1"), spec()).await, "");
    let renewed = ["spec", "renewTime"];
    let now = json!("2026-01-01T00:00:00.000000Z");
    let change = world.change(&n1(), lease(nodes, "n1"), &renewed, now).await;
    assert_eq!(change, "");
    let same =
        |what: &str| format!("can only access {what} with the same name as the requesting node");
    assert_eq!(
        world.put(&n1(), lease(nodes, "n2"), spec()).await,
        same("node lease")
    );
    assert_eq!(
        world.delete(&n2(), lease(nodes, "n1")).await,
        same("node lease")
    );
    assert_eq!(
        world.put(&n1(), lease("default", "n1"), spec()).await,
        r#"can only access leases in the "kube-node-lease" system namespace"#
    );
    let csi = |name| ("storage.k8s.io", "csinodes", "", "", name);
    let drivers = || json!({"metadata": {}, "spec": {"drivers": []}});
    assert_eq!(world.put(&n1(), csi("n1"), drivers()).await, "");
    assert_eq!(
        world.put(&n1(), csi("n2"), drivers()).await,
        same("CSINode")
    );

    let slice = ("resource.k8s.io", "resourceslices", "", "", "s");
    let of = |node: &str| {
        json!({"metadata": {}, "spec": {
            "nodeName": node, "driver": "d.example.com", "pool": {"name": "a", "generation": 1, "resourceSliceCount": 1},
        }})
    };
    let other = |verb: &str| {
        format!("can only {verb} ResourceSlice with the same NodeName as the requesting node")
    };
    assert_eq!(world.put(&n1(), slice, of("n2")).await, other("create"));
    assert_eq!(world.put(&n1(), slice, of("n1")).await, "");
    assert_eq!(world.delete(&n2(), slice).await, other("delete"));
    assert_eq!(world.delete(&n1(), slice).await, "");
}

#[tokio::test]
async fn of_claims_a_node_changes_the_size() {
    let world = World::start().await;
    let claim = ("", "persistentvolumeclaims", "", "default", "c");
    let spec = json!({"metadata": {}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    assert_eq!(
        world.put(&n1(), claim, spec.clone()).await,
        "may only update PVC status"
    );
    assert_eq!(world.put(&User::new("admin"), claim, spec).await, "");
    let status = ("", "persistentvolumeclaims", "status", "default", "c");
    let size = json!({"storage": "1Gi"});
    assert_eq!(
        world
            .change(&n1(), status, &["status", "capacity"], size)
            .await,
        ""
    );
    for (path, value) in [
        (["status", "phase"], json!("Bound")),
        (["metadata", "finalizers"], json!(["a/b"])),
    ] {
        assert_eq!(
            world.change(&n1(), status, &path, value).await,
            r#"node "n1" is not allowed to update fields other than status.capacity and status.conditions"#
        );
    }
}

#[tokio::test]
async fn tokens_are_for_pods_of_the_node_and_what_they_want() {
    let world = World::start().await;
    let admin = User::new("admin");
    let projected = json!({"sources": [
        {"serviceAccountToken": {"path": "t", "audience": "vault"}},
        {"serviceAccountToken": {"path": "u"}},
    ]});
    let volumes = json!([
        {"name": "t", "projected": projected},
        {"name": "d", "csi": {"driver": "d.example.com"}},
    ]);
    let what = ("", "pods", "", "default", "q");
    let spec = json!({"serviceAccountName": "default", "volumes": volumes});
    assert_eq!(world.put(&admin, what, pod(spec)).await, "");
    let driver = ("storage.k8s.io", "csidrivers", "", "", "d.example.com");
    let wants = json!({"metadata": {}, "spec": {"tokenRequests": [{"audience": "cloud"}]}});
    assert_eq!(world.put(&admin, driver, wants).await, "");
    let (uid, plain) = (world.uid(what), world.uid(POD));
    let account = ("", "serviceaccounts", "token", "default", "default");
    let ask = async |user: &User, bound: Value, audiences: &[&str]| {
        let spec = json!({"boundObjectRef": bound, "audiences": audiences});
        world.post(user, account, json!({"spec": spec})).await
    };
    let bound = |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid});
    for audiences in [&[][..], &["vault"], &["cloud"]] {
        assert_eq!(
            ask(&n1(), bound("q", &uid), audiences).await,
            "",
            "{audiences:?}"
        );
    }
    let lacks = |audience: &str| {
        format!(
            "audience {audience:?} not found in pod spec volume, system:node:n1 is not authorized to request tokens for \
             this audience"
        )
    };
    assert_eq!(
        ask(&n1(), bound("q", &uid), &["other"]).await,
        lacks("other")
    );
    assert_eq!(ask(&n1(), bound("p", &plain), &[]).await, lacks(""));
    assert_eq!(
        ask(&n1(), bound("q", &uid), &["vault", "cloud"]).await,
        "node may only request 0 or 1 audiences"
    );
    let not_bound = "node requested token not bound to a pod";
    assert_eq!(ask(&n1(), json!(null), &[]).await, not_bound);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u"});
    assert_eq!(ask(&n1(), secret, &[]).await, not_bound);
    assert_eq!(
        ask(&n1(), bound("q", ""), &[]).await,
        "node requested token with a pod binding without a uid"
    );
    assert_eq!(
        ask(&n1(), bound("q", "u"), &[]).await,
        "the UID in the bound object reference (u) does not match the UID in record. The object might have been deleted \
         and then recreated"
    );
    assert_eq!(
        ask(&n2(), bound("q", &uid), &[]).await,
        "node requested token bound to a pod scheduled on a different node"
    );
    assert_eq!(
        ask(&n1(), bound("z", "u"), &[]).await,
        r#"pods "z" not found"#
    );
}

#[tokio::test]
async fn certificates_are_asked_for_in_the_nodes_name() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let world = World::start().await;
    let request = |node: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let mut push = |type_, text: String| params.distinguished_name.push(type_, text);
        push(rcgen::DnType::OrganizationName, "system:nodes".to_owned());
        push(rcgen::DnType::CommonName, format!("system:node:{node}"));
        let key = rcgen::KeyPair::generate().unwrap();
        STANDARD.encode(params.serialize_request(&key).unwrap().pem().unwrap())
    };
    let ask = async |name: &str, node: &str, signer: &str| {
        let what = (
            "certificates.k8s.io",
            "certificatesigningrequests",
            "",
            "",
            name,
        );
        let spec = json!({
            "request": request(node), "signerName": signer, "usages": ["digital signature", "client auth"],
        });
        world
            .put(&n1(), what, json!({"metadata": {}, "spec": spec}))
            .await
    };
    let signer = "kubernetes.io/kube-apiserver-client-kubelet";
    assert_eq!(ask("a", "n1", signer).await, "");
    assert_eq!(
        ask("b", "n2", signer).await,
        "can only create a node CSR with CN=system:node:n1"
    );
    assert_eq!(ask("c", "n2", "example.com/other").await, "");
}
