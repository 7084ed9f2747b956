//! Priority classes, and the pods that name them.

use super::*;

const CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";

fn class(name: &str, value: i64, is_default: bool) -> Value {
    json!({ "metadata": { "name": name }, "value": value, "globalDefault": is_default })
}

fn pod_of(name: &str, fields: Value) -> Value {
    let mut pod = pod(name);
    for (field, value) in fields.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

#[tokio::test(start_paused = true)]
async fn a_class_gives_its_pods_priority_and_policy() {
    let api = Api::start().await;
    let mut gentle = class("gentle", 7, false);
    gentle["preemptionPolicy"] = "Never".into();
    api.post(CLASSES, gentle).await.ok();
    let named = json!({ "priorityClassName": "gentle" });
    let made = api.post(PODS, pod_of("a", named)).await.ok();
    assert_eq!(made["spec"]["priority"], 7);
    assert_eq!(made["spec"]["preemptionPolicy"], "Never");
    let none = api.post(PODS, pod("b")).await.ok();
    assert_eq!(none["spec"]["priority"], 0);
    let system = json!({ "priorityClassName": "system-node-critical" });
    let system = api.post(PODS, pod_of("c", system)).await.ok();
    assert_eq!(system["spec"]["priority"], 2_000_001_000);
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_says_must_be_what_its_class_says() {
    let api = Api::start().await;
    let refuse = async |fields: Value| api.post(PODS, pod_of("a", fields)).await.failure();
    assert_eq!(
        refuse(json!({ "priorityClassName": "x" })).await,
        "403 Forbidden: pods \"a\" is forbidden: no PriorityClass with name x was found"
    );
    assert_eq!(
        refuse(json!({ "priority": 5 })).await,
        "403 Forbidden: pods \"a\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name"
    );
    assert_eq!(
        refuse(json!({ "preemptionPolicy": "Never" })).await,
        "403 Forbidden: pods \"a\" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name"
    );
}

#[tokio::test(start_paused = true)]
async fn one_class_is_the_default() {
    let api = Api::start().await;
    api.post(CLASSES, class("a", 3, true)).await.ok();
    assert_eq!(
        api.post(CLASSES, class("b", 4, true)).await.failure(),
        "403 Forbidden: priorityclasses.scheduling.k8s.io \"b\" is forbidden: PriorityClass a is already marked as default. Only one default can exist"
    );
    let made = api.post(PODS, pod("p")).await.ok();
    assert_eq!(made["spec"]["priorityClassName"], "a");
    assert_eq!(made["spec"]["priority"], 3);
    let described = json!({ "description": "still the default" });
    api.patch(&format!("{CLASSES}/a"), "merge-patch", described)
        .await
        .ok();
}
