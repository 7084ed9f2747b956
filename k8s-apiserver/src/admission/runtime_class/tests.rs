use serde_json::json;

use super::super::testing::Cluster;
use super::*;

/// A cluster with the class `gvisor`, with these fields.
async fn cluster(fields: Value) -> Cluster {
    let cluster = Cluster::start().await;
    let mut class = json!({ "metadata": { "name": "gvisor" }, "handler": "runsc" });
    super::super::testing::merge(&mut class, fields);
    let uri = "/apis/node.k8s.io/v1/runtimeclasses";
    cluster.post(uri, class).await.unwrap();
    cluster
}

fn refused(why: &str) -> String {
    format!(r#"pods "p" is forbidden: {why}"#)
}

#[tokio::test]
async fn a_pod_of_a_class_that_is_missing_is_refused() {
    let cluster = cluster(json!({})).await;
    let other = cluster.pod(json!({ "spec": { "runtimeClassName": "kata" } }));
    let why = r#"pod rejected: RuntimeClass "kata" not found"#;
    assert_eq!(other.await.unwrap_err(), refused(why));
    let known = json!({ "spec": { "runtimeClassName": "gvisor" } });
    assert!(cluster.pod(known).await.is_ok());
}

#[tokio::test]
async fn the_overhead_is_the_class_s_and_nobody_else_s() {
    let fixed = json!({ "cpu": "250m", "memory": "64Mi" });
    let differs = Err(refused(DIFFERS));
    let unknown = Err(refused(
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
    ));
    let costly = json!({ "overhead": { "podFixed": fixed } });
    let free = json!({});
    let class = "gvisor";
    for (class_fields, spec, want) in [
        (
            &costly,
            json!({ "runtimeClassName": class }),
            Ok(fixed.clone()),
        ),
        (
            &costly,
            json!({ "runtimeClassName": class, "overhead": { "cpu": "0.25", "memory": "65536Ki" } }),
            Ok(fixed.clone()),
        ),
        (
            &costly,
            json!({ "runtimeClassName": class, "overhead": { "cpu": "1" } }),
            differs,
        ),
        (&costly, json!({}), Ok(Value::Null)),
        (
            &costly,
            json!({ "overhead": { "cpu": "250m" } }),
            unknown.clone(),
        ),
        (&free, json!({ "runtimeClassName": class }), Ok(Value::Null)),
        (
            &free,
            json!({ "runtimeClassName": class, "overhead": { "cpu": "250m" } }),
            unknown,
        ),
    ] {
        let cluster = cluster(class_fields.clone()).await;
        let pod = cluster.pod(json!({ "spec": spec })).await;
        let overhead = pod.map(|pod| pod["spec"]["overhead"].clone());
        assert_eq!(overhead, want, "{class_fields} {spec}");
    }
}

#[tokio::test]
async fn selector_and_tolerations_of_the_class_join_those_of_the_pod() {
    let scheduling = json!({ "scheduling": {
        "nodeSelector": { "sandbox": "yes" },
        "tolerations": [{ "key": "sandbox", "operator": "Exists" }],
    } });
    let cluster = cluster(scheduling).await;
    let spec = json!({
        "runtimeClassName": "gvisor",
        "nodeSelector": { "disk": "ssd" },
        "tolerations": [
            { "key": "sandbox", "operator": "Exists", "effect": "NoSchedule" },
            { "key": "own", "operator": "Exists" },
        ],
    });
    let pod = cluster.pod(json!({ "spec": spec })).await.unwrap();
    let spec = &pod["spec"];
    assert_eq!(
        spec["nodeSelector"],
        json!({ "disk": "ssd", "sandbox": "yes" })
    );
    let tolerations = spec["tolerations"].as_array().unwrap();
    let keys: Vec<&Value> = tolerations.iter().map(|each| &each["key"]).collect();
    let usual = ["not-ready", "unreachable"].map(|name| format!("node.kubernetes.io/{name}"));
    // The pod's own toleration is covered by the class's.
    let want = json!(["own", usual[0], usual[1], "sandbox"]);
    assert_eq!(json!(keys), want);
    assert_eq!(tolerations[3].get("effect"), None);

    let contrary = json!({ "spec": {
        "runtimeClassName": "gvisor", "nodeSelector": { "sandbox": "no" },
    } });
    let why = "conflict: runtimeClass.scheduling.nodeSelector[sandbox] = yes; pod.spec.nodeSelector[sandbox] = no";
    assert_eq!(cluster.pod(contrary).await.unwrap_err(), refused(why));
}

#[test]
fn a_toleration_covers_another_that_bears_no_more_and_no_longer() {
    let all = json!({ "operator": "Exists" });
    let a = json!({ "key": "a", "operator": "Exists" });
    let value = json!({ "key": "a", "operator": "Equal", "value": "v" });
    let evicting = |seconds: Option<i64>| json!({ "key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds });
    for (wide, narrow, want) in [
        (&all, &a, true),
        (&a, &all, false),
        (&a, &value, true),
        (&value, &value, true),
        (&value, &a, false),
        (&a, &evicting(Some(3)), true),
        (&evicting(Some(3)), &a, false),
        (&evicting(None), &evicting(Some(3)), true),
        (&evicting(Some(3)), &evicting(None), false),
        (&evicting(Some(3)), &evicting(Some(2)), true),
        (&evicting(Some(2)), &evicting(Some(3)), false),
        (
            &json!({ "operator": "Gt", "key": "a", "value": "1" }),
            &a,
            false,
        ),
    ] {
        assert_eq!(covers(wide, narrow), want, "{wide} {narrow}");
    }
}
