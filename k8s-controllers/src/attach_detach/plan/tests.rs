use k8s_openapi::api::{core::v1::Node, storage::v1::VolumeAttachment};
use serde_json::{Value, json};

use super::*;
use crate::attach_detach::view::{Attachment, attachment_name, device};

const DEVICE: &str = "kubernetes.io/csi/csi.example.com^vol";

fn object<K: serde::de::DeserializeOwned>(value: Value) -> Arc<K> {
    Arc::new(serde_json::from_value(value).expect("an object"))
}

fn volume() -> Arc<PersistentVolume> {
    let csi = json!({"driver": "csi.example.com", "volumeHandle": "vol"});
    object(
        json!({"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"], "csi": csi}}),
    )
}

fn pod(namespace: &str, name: &str) -> Arc<Pod> {
    let meta = json!({"namespace": namespace, "name": name, "uid": name});
    object(json!({"metadata": meta, "spec": {"containers": []}}))
}

fn name() -> String {
    attachment_name(&volume(), "n1").expect("a CSI volume")
}

fn node(in_use: &[&str], attached: &[&str], ready: &str, taint: Option<&str>) -> Arc<Node> {
    let attached: Vec<_> = attached
        .iter()
        .map(|name| json!({"name": name, "devicePath": ""}))
        .collect();
    let taints: Vec<_> = taint
        .iter()
        .map(|key| json!({"key": key, "effect": "NoExecute"}))
        .collect();
    object(json!({
        "metadata": {"name": "n1"},
        "spec": {"taints": taints},
        "status": {"volumesInUse": in_use, "volumesAttached": attached,
            "conditions": [{"type": "Ready", "status": ready}]},
    }))
}

fn idle() -> Arc<Node> {
    node(&[], &[], "True", None)
}

fn view(node: Arc<Node>) -> View {
    View {
        name: "n1".into(),
        node: Some(node),
        ..View::default()
    }
}

impl View {
    fn wanting(mut self) -> Self {
        let wanted = Wanted {
            volume: volume(),
            pods: vec![pod("ns", "user")],
            is_taken: false,
            others: Vec::new(),
        };
        self.wanted.insert(name(), wanted);
        self
    }

    fn having(mut self, status: Value, seconds_unwanted: Option<i64>) -> Self {
        let object: Arc<VolumeAttachment> = object(json!({
            "metadata": {"name": name()},
            "spec": {"attacher": "csi.example.com", "nodeName": "n1", "source": {"persistentVolumeName": "v"}},
            "status": status,
        }));
        let since = |seconds| Timestamp::from_second(1000 - seconds).expect("a time");
        self.attachments.push(Attachment {
            object,
            device: device(&volume()),
            unwanted_since: seconds_unwanted.map(since),
        });
        self
    }
}

/// `+` attaches, `-` detaches, `=N` makes the node list N volumes, `?N` looks again after N seconds; then what is told.
#[track_caller]
fn check(view: &View, want: &str) {
    let plan = plan(view, Timestamp::from_second(1000).expect("a time"));
    let mut told = Vec::new();
    told.extend(plan.report.map(|volumes| format!("={}", volumes.len())));
    told.extend(plan.detach.iter().map(|_| "-".to_owned()));
    told.extend(plan.attach.iter().map(|_| "+".to_owned()));
    told.extend(plan.again.map(|again| format!("?{}", again.as_secs())));
    told.extend(plan.notes.into_iter().map(|note| note.message));
    assert_eq!(told.join(" "), want);
}

#[test]
fn what_pods_need_is_attached_and_listed_once_it_is() {
    check(&view(idle()).wanting(), "+");
    check(
        &view(idle())
            .wanting()
            .having(json!({"attached": false}), None),
        "",
    );
    check(
        &view(idle())
            .wanting()
            .having(json!({"attached": true}), None),
        "=1 AttachVolume.Attach succeeded for volume \"v\" ",
    );
    let listed = node(&[], &[DEVICE], "True", None);
    check(
        &view(listed)
            .wanting()
            .having(json!({"attached": true}), None),
        "",
    );
    let error = json!({"attached": false, "attachError": {"message": "no room"}});
    check(
        &view(idle()).wanting().having(error, None),
        "AttachVolume.Attach failed for volume \"v\" : no room",
    );
}

#[test]
fn what_no_pod_needs_is_detached_once_the_node_lets_go() {
    let attached = || json!({"attached": true});
    let lists = |in_use: &[&str], ready: &str, taint| view(node(in_use, &[DEVICE], ready, taint));
    check(
        &lists(&[], "True", None).having(attached(), Some(0)),
        "=0 -",
    );
    check(
        &lists(&[DEVICE], "True", None).having(attached(), Some(0)),
        "?360",
    );
    check(
        &lists(&[DEVICE], "Unknown", None).having(attached(), Some(100)),
        "?260",
    );
    check(
        &lists(&[DEVICE], "Unknown", None).having(attached(), Some(360)),
        "=0 -",
    );
    // A node that lives is waited for.
    check(
        &lists(&[DEVICE], "True", None).having(attached(), Some(360)),
        "",
    );
    let off = Some("node.kubernetes.io/out-of-service");
    check(
        &lists(&[DEVICE], "Unknown", off).having(attached(), Some(0)),
        "=0 -",
    );
}

#[test]
fn a_node_that_is_gone_holds_nothing() {
    let gone = View {
        name: "n1".into(),
        ..View::default()
    };
    check(&gone.having(json!({"attached": true}), Some(0)), "-");
}

#[test]
fn who_has_a_volume_that_only_one_may_have_is_told_within_the_namespace() {
    let told = |others: Vec<Arc<Pod>>, want: &str| {
        let mut view = view(idle()).wanting();
        let wanted = view.wanted.get_mut(&name()).expect("it is wanted");
        (wanted.is_taken, wanted.others) = (true, others);
        check(
            &view,
            &format!("Multi-Attach error for volume \"v\" {want}"),
        );
    };
    told(
        vec![],
        "Volume is already exclusively attached to one node and can't be attached to another",
    );
    told(
        vec![pod("ns", "a"), pod("ns", "b")],
        "Volume is already used by pod(s) a, b",
    );
    told(
        vec![pod("ns", "a"), pod("far", "b")],
        "Volume is already used by pod(s) a and 1 pod(s) in different namespaces",
    );
    told(
        vec![pod("far", "b")],
        "Volume is already used by 1 pod(s) in different namespaces",
    );
}

#[test]
fn an_attachment_has_one_name() {
    // printf 'volcsi.example.comn1' | sha256sum
    assert_eq!(
        name(),
        "csi-a822b0f60e90208931ce20ca3dfa30e2dc1071b622d412eef15f800a7157f6a1"
    );
}
