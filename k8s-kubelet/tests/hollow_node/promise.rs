//! What the node promises to pods: whom it takes, and who is resized.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{World, usual};

/// A pod of one container with requests that are limits as well.
fn sized(cpu: &str, policy: Value) -> Value {
    let amounts = json!({"cpu": cpu, "memory": "64Mi"});
    json!({"containers": [{
        "name": "c", "image": "x:1", "resizePolicy": policy,
        "resources": {"requests": amounts, "limits": amounts},
    }]})
}

async fn resize(world: &World, pod: &str, cpu: &str) {
    try_resize(world, pod, cpu).await.unwrap();
}

async fn try_resize(world: &World, pod: &str, cpu: &str) -> Result<Pod, kube::Error> {
    let amounts = json!({"cpu": cpu, "memory": "64Mi"});
    let change = json!({"spec": {"containers": [{
        "name": "c", "resources": {"requests": amounts, "limits": amounts},
    }]}});
    let params = PatchParams::default();
    let patch = Patch::Strategic(change);
    let pods = world.pods();
    let resized = pods.patch_subresource("resize", pod, &params, &patch);
    resized.await
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// What the pod's container has.
fn cpu(pod: &Pod) -> Option<&str> {
    let resources = container(pod)?.resources.as_ref()?;
    Some(resources.limits.as_ref()?.get("cpu")?.0.as_str())
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == type_)
}

async fn until_pending(world: &World, pod: &str, reason: &str) -> Arc<Pod> {
    let pends = |pod: Option<&Pod>| {
        let pending = pod.and_then(|pod| condition(pod, "PodResizePending"));
        pending.and_then(|pending| pending.reason.as_deref()) == Some(reason)
    };
    world.until(pod, pends).await.unwrap()
}

async fn until_cpu(world: &World, pod: &str, amount: &str) -> Arc<Pod> {
    let has = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| {
            let is_over = |type_: &str| condition(pod, type_).is_none();
            cpu(pod) == Some(amount)
                && is_over("PodResizePending")
                && is_over("PodResizeInProgress")
        })
    };
    world.until(pod, has).await.unwrap()
}

#[tokio::test]
async fn a_running_container_gets_other_resources_in_place() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    world.create("p", sized("100m", json!([]))).await;
    let before = world.until_phase("p", "Running").await;
    resize(&world, "p", "200m").await;
    let after = until_cpu(&world, "p", "200m").await;
    let (before, after) = (container(&before).unwrap(), container(&after).unwrap());
    assert_eq!(before.container_id, after.container_id);
    assert_eq!(after.restart_count, 0);
    let allocated = after.allocated_resources.as_ref().unwrap();
    assert_eq!(allocated["cpu"].0, "200m");
    let id = after.container_id.as_ref().unwrap();
    let given = world.runtime.resources(id.trim_start_matches("hollow://"));
    assert_eq!(given.unwrap().cpu_quota, 20_000);
    agent.stop().await;
}

#[tokio::test]
async fn a_policy_may_ask_for_a_restart_instead() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    let policy = json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]);
    world.create("p", sized("100m", policy)).await;
    let before = world.until_phase("p", "Running").await;
    resize(&world, "p", "200m").await;
    let after = until_cpu(&world, "p", "200m").await;
    let (before, after) = (container(&before).unwrap(), container(&after).unwrap());
    assert_ne!(before.container_id, after.container_id);
    assert_eq!(after.restart_count, 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_resize_waits_for_room_and_one_that_never_fits_changes_nothing() {
    let world = World::new(usual()).await.with_cpu("1");
    let agent = world.run_agent();
    world.create("a", sized("500m", json!([]))).await;
    world.create("b", sized("400m", json!([]))).await;
    world.until_phase("a", "Running").await;
    world.until_phase("b", "Running").await;
    // The API knows the node as well; what comes past it is the node's to refuse.
    let refused = try_resize(&world, "a", "2").await.unwrap_err().to_string();
    assert!(
        refused.contains("cpu, requested: 2000, allocatable: 1000"),
        "{refused}"
    );
    resize(&world, "a", "700m").await;
    let pod = until_pending(&world, "a", "Deferred").await;
    let pending = condition(&pod, "PodResizePending").unwrap();
    assert_eq!(
        pending.message.as_deref(),
        Some("Node didn't have enough resource: cpu, requested: 700, used: 400, capacity: 1000")
    );
    assert_eq!(pending.observed_generation, pod.metadata.generation);
    assert_eq!(cpu(&pod), Some("500m"));
    world
        .pods()
        .delete("b", &DeleteParams::default())
        .await
        .unwrap();
    until_cpu(&world, "a", "700m").await;
    agent.stop().await;
}

#[tokio::test]
async fn a_pod_that_does_not_fit_fails_with_the_reason() {
    let world = World::new(usual()).await.with_cpu("1");
    let agent = world.run_agent();
    world.create("a", sized("600m", json!([]))).await;
    world.until_phase("a", "Running").await;
    let check = async |name: &str, spec: Value, reason: &str, message: &str| {
        world.create(name, spec).await;
        let pod = world.until_phase(name, "Failed").await;
        let status = pod.status.as_ref().unwrap();
        assert_eq!(status.reason.as_deref(), Some(reason));
        assert_eq!(
            status.message.as_deref(),
            Some(format!("Pod was rejected: {message}").as_str())
        );
        assert_eq!(status.container_statuses, None);
    };
    check(
        "large",
        sized("500m", json!([])),
        "OutOfcpu",
        "Node didn't have enough resource: cpu, requested: 500, used: 600, capacity: 1000",
    )
    .await;
    let mut elsewhere = sized("100m", json!([]));
    elsewhere["nodeSelector"] = json!({"disk": "fast"});
    check(
        "elsewhere",
        elsewhere,
        "NodeAffinity",
        "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    )
    .await;
    agent.stop().await;
}
