//! One stored object served in several versions.

use super::*;

const V1: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
const V2: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

fn autoscaler(version: &str, fields: Value) -> Value {
    let mut spec =
        json!({ "maxReplicas": 5, "scaleTargetRef": { "kind": "Deployment", "name": "web" } });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": format!("autoscaling/{version}"), "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "a" }, "spec": spec,
    })
}

#[tokio::test(start_paused = true)]
async fn an_object_of_one_version_is_read_in_the_other() {
    let api = Api::start().await;
    let made = autoscaler("v1", json!({ "targetCPUUtilizationPercentage": 50 }));
    let made = api.post(V1, made).await.ok();
    assert_eq!(made["spec"]["targetCPUUtilizationPercentage"], 50);
    assert_eq!(made["apiVersion"], "autoscaling/v1");

    let v2 = api.get(&format!("{V2}/a")).await.ok();
    assert_eq!(v2["apiVersion"], "autoscaling/v2");
    let target = &v2["spec"]["metrics"][0]["resource"]["target"];
    assert_eq!(target["averageUtilization"], 50);
    assert_eq!(v2["metadata"]["uid"], made["metadata"]["uid"]);
    let list = api.get(V1).await.ok();
    assert_eq!(
        list["items"][0]["spec"]["targetCPUUtilizationPercentage"],
        50
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_answers_in_the_version_that_was_asked() {
    let api = Api::start().await;
    let asked = autoscaler("v1", json!({ "targetCPUUtilizationPercentage": 50 }));
    let answer = api.post(&format!("{V1}?dryRun=All"), asked).await.ok();
    assert_eq!(answer["apiVersion"], "autoscaling/v1");
    assert_eq!(answer["spec"]["targetCPUUtilizationPercentage"], 50);
}

#[tokio::test(start_paused = true)]
async fn owners_who_speak_different_versions_conflict_over_the_same_field() {
    let api = Api::start().await;
    let first = autoscaler("v1", json!({ "targetCPUUtilizationPercentage": 50 }));
    let uri = format!("{V1}/a?fieldManager=one");
    api.patch(&uri, "apply", first).await.ok();

    let target = json!({ "type": "Utilization", "averageUtilization": 70 });
    let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
    let second = autoscaler("v2", json!({ "metrics": [metric] }));
    let uri = format!("{V2}/a?fieldManager=two");
    let refused = api.patch(&uri, "apply", second.clone()).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let cause = &refused.json()["details"]["causes"][0];
    assert_eq!(cause["field"], ".spec.metrics");

    let forced = format!("{uri}&force=true");
    api.patch(&forced, "apply", second).await.ok();
    let v1 = api.get(&format!("{V1}/a")).await.ok();
    assert_eq!(v1["spec"]["targetCPUUtilizationPercentage"], 70);
    let managers = v1["metadata"]["managedFields"].as_array().unwrap();
    let owner = managers.iter().find(|entry| {
        entry["fieldsV1"]["f:spec"]
            .get("f:targetCPUUtilizationPercentage")
            .is_some()
    });
    assert_eq!(owner.unwrap()["manager"], "two");
}
