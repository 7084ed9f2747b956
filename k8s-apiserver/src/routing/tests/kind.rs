//! Kinds as clients meet them: made, read back, given a status; and what every cluster has of them.

use std::path::{Path, PathBuf};

use k8s_apimachinery::scheme::{Gvk, codec};

use super::*;
use crate::registry::builtin_strategies;

/// Kinds that admission and allocation complete from what else is in the cluster.
const COMPLETED: [&str; 2] = ["Pod", "Service"];

/// The maximal objects of all groups, from the tests of their rules.
fn maximal() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s-apimachinery/testdata/kinds");
    let entries = |directory: PathBuf| {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let files = entries(root).flat_map(entries);
    let files = files.filter(|file| file.extension().is_some_and(|end| end == "yaml"));
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap());
    let documents = texts.flat_map(|text| {
        let parse = |text: &str| codec::decode_yaml(text.as_bytes()).unwrap().0;
        text.split("\n---\n").map(parse).collect::<Vec<_>>()
    });
    documents.collect()
}

/// Where objects of this kind are, and whether they have a status apart; `None` if they aren't kept,
/// or are never what was sent.
fn collection(object: &Value) -> Option<(String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let gvk = Gvk::from_api_version(&text(&object["apiVersion"]), &text(&object["kind"]));
    let strategies = builtin_strategies();
    let mut rows = strategies.iter().map(|strategy| strategy.kind());
    let row = rows.find(|row| row.group == gvk.group && row.kind == gvk.kind)?;
    if COMPLETED.contains(&row.kind.as_str()) {
        return None;
    }
    let root = match gvk.group.as_str() {
        "" => format!("/api/{}", gvk.version),
        group => format!("/apis/{group}/{}", gvk.version),
    };
    let namespace = match row.namespaced {
        true => format!("/namespaces/{}", text(&object["metadata"]["namespace"])),
        false => String::new(),
    };
    let uri = format!("{root}{namespace}/{}", row.plural);
    Some((uri, row.has_status()))
}

#[track_caller]
fn assert_same(got: &Value, sent: &Value, but: &[&str]) {
    for (field, value) in sent.as_object().unwrap() {
        if !but.contains(&field.as_str()) {
            assert_eq!(got[field], *value, "{field} of {}", sent["kind"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_made_is_read_back_and_its_status_comes_separately() {
    for mut object in maximal() {
        if object["kind"] == "CertificateSigningRequest" {
            // The server says who asks, whatever they say.
            let spec = object["spec"].as_object_mut().unwrap();
            spec.retain(|field, _| {
                !["username", "uid", "groups", "extra"].contains(&field.as_str())
            });
            spec.insert("username".into(), "tester".into());
        }
        let api = Api::start().await;
        allow_admin_access(&api).await;
        let Some((uri, has_status)) = collection(&object) else {
            continue;
        };
        let name = object["metadata"]["name"].as_str().unwrap();
        let own = format!("{uri}/{name}");
        let mut made = api.post(&uri, object.clone()).await;
        if made.status == StatusCode::CONFLICT {
            let mut changed = object.clone();
            let old = api.get(&own).await.ok();
            changed["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            made = api.put(&own, changed).await;
        }
        let mut made = made.ok();
        assert_same(&made, &object, &["metadata", "status"]);
        assert_eq!(api.get(&own).await.ok(), made);
        if has_status && object.get("status").is_some() {
            made["status"] = object["status"].clone();
            let updated = api.put(&format!("{own}/status"), made).await.ok();
            assert_same(&updated, &object, &["metadata"]);
        }
        api.delete(&own).await.ok();
    }
}

/// Lets claims of the namespace have devices that others use.
async fn allow_admin_access(api: &Api) {
    let label = json!({ "resource.kubernetes.io/admin-access": "true" });
    let change = json!({ "metadata": { "labels": label } });
    api.patch("/api/v1/namespaces/default", "merge-patch", change)
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn admin_access_needs_a_marked_namespace() {
    let api = Api::start().await;
    let exactly = json!({ "deviceClassName": "c", "adminAccess": true });
    let claim = json!({
        "metadata": { "name": "a" },
        "spec": { "devices": { "requests": [{ "name": "r", "exactly": exactly }] } },
    });
    let claims = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    assert_eq!(
        api.post(claims, claim.clone()).await.failure(),
        "422 Invalid: ResourceClaim.resource.k8s.io \"a\" is invalid: spec.devices.requests[0].exactly.adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace"
    );
    allow_admin_access(&api).await;
    let made = api.post(claims, claim).await.ok();
    assert_eq!(table(&api, claims).await, ["a pending"]);
    assert_eq!(made["status"], json!({}));
}

/// What `kubectl get` prints, without ages.
async fn table(api: &Api, uri: &str) -> Vec<String> {
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let table = api.get_as(uri, accept).await.ok();
    let columns = table["columnDefinitions"].as_array().unwrap().clone();
    let rows = table["rows"].as_array().unwrap().iter();
    let line = |row: &Value| {
        let cells = row["cells"].as_array().unwrap().iter().zip(&columns);
        let cells = cells.filter(|(_, column)| column["name"] != "Age");
        let cells = cells.map(|(cell, _)| match cell {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    rows.map(line).collect()
}

#[tokio::test(start_paused = true)]
async fn every_cluster_has_flow_control() {
    let api = Api::start().await;
    let flow = "/apis/flowcontrol.apiserver.k8s.io/v1";
    let levels = table(&api, &format!("{flow}/prioritylevelconfigurations")).await;
    assert_eq!(
        levels,
        [
            "catch-all Limited 5 <none> <none> <none>",
            "exempt Exempt <none> <none> <none> <none>",
            "global-default Limited 20 128 6 50",
            "leader-election Limited 10 16 4 50",
            "node-high Limited 40 64 6 50",
            "system Limited 30 64 6 50",
            "workload-high Limited 40 128 6 50",
            "workload-low Limited 100 128 6 50",
        ]
    );
    let schemas = table(&api, &format!("{flow}/flowschemas")).await;
    assert_eq!(schemas.len(), 13);
    assert_eq!(schemas[0], "catch-all catch-all 10000 ByUser False");
    assert!(schemas.contains(&"probes exempt 2 <none> False".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn mandatory_objects_stay_and_suggestions_are_their_owners() {
    let api = Api::start().await;
    let schemas = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
    let change = json!({ "spec": { "matchingPrecedence": 9_000 } });
    let fixed = api
        .patch(
            &format!("{schemas}/catch-all"),
            "merge-patch",
            change.clone(),
        )
        .await;
    assert!(
        fixed
            .failure()
            .ends_with("spec of 'catch-all' must equal the fixed value"),
        "{}",
        fixed.failure()
    );
    let free = api
        .patch(&format!("{schemas}/global-default"), "merge-patch", change)
        .await
        .ok();
    assert_eq!(free["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn every_cluster_has_classes_a_network_and_its_own_versions() {
    let api = Api::start().await;
    assert_eq!(
        table(&api, "/apis/scheduling.k8s.io/v1/priorityclasses").await,
        [
            "system-cluster-critical 2000000000 false PreemptLowerPriority",
            "system-node-critical 2000001000 false PreemptLowerPriority",
        ]
    );
    let networking = "/apis/networking.k8s.io/v1";
    assert_eq!(
        table(&api, &format!("{networking}/servicecidrs")).await,
        ["kubernetes 10.96.0.0/16"]
    );
    assert_eq!(
        table(&api, &format!("{networking}/ipaddresses")).await,
        ["10.96.0.1 services/default/kubernetes"]
    );
    let versions = table(&api, "/apis/apiregistration.k8s.io/v1/apiservices").await;
    assert_eq!(versions[0], "v1. Local True");
    assert!(versions.contains(&"v1.apps Local True".to_owned()));
    assert!(!versions.iter().any(|line| line.contains("apiregistration")));
}
