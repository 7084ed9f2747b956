//! The life of pods.

use std::{sync::Arc, time::Duration};

use k8s_kubelet::{
    cri::{Runtime, api},
    hollow::{Behaviour, HollowRuntime},
};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_runtime::SystemClock;
use kube::{Api, api::DeleteParams};
use serde_json::json;

use super::world::{NODE, World, one, usual};

fn restarts(pod: &Pod) -> i32 {
    pod.status
        .as_ref()
        .unwrap()
        .container_statuses
        .as_ref()
        .unwrap()[0]
        .restart_count
}

#[tokio::test]
async fn a_node_registers_and_is_ready() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    let nodes: Api<Node> = Api::all(world.client());
    let is_ready = kube::runtime::wait::await_condition(nodes, NODE, |node: Option<&Node>| {
        let status = node.and_then(|node| node.status.as_ref());
        let mut conditions = status
            .into_iter()
            .flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    tokio::time::timeout(Duration::from_secs(10), is_ready)
        .await
        .unwrap()
        .unwrap();
    agent.stop().await;
}

#[tokio::test]
async fn pods_run_or_complete_as_their_policy_says() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    world.create("on", one("Always")).await;
    world.create("once", one("Never")).await;
    let on = world.until_phase("on", "Running").await;
    let once = world.until_phase("once", "Succeeded").await;
    let ip = |pod: &Pod| pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
    assert_ne!(ip(&on), ip(&once));
    agent.stop().await;
}

#[tokio::test]
async fn a_deleted_pod_goes_from_the_runtime_and_then_from_the_api() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    world.create("web", one("Always")).await;
    world.until_phase("web", "Running").await;
    world
        .pods()
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    world.until("web", |pod| pod.is_none()).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while !world.runtime.sandboxes(None).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the runtime forgets the pod");
    agent.stop().await;
}

#[tokio::test]
async fn a_new_agent_adopts_what_runs_and_removes_what_belongs_to_nobody() {
    let world = World::new(usual()).await;
    let agent = world.run_agent();
    world.create("web", one("Always")).await;
    world.until_phase("web", "Running").await;
    agent.stop().await;
    let before = world.runtime.containers(None).await.unwrap();

    let orphan = api::PodSandboxConfig {
        metadata: Some(api::PodSandboxMetadata {
            name: "orphan".into(),
            uid: "nobody".into(),
            namespace: "default".into(),
            attempt: 0,
        }),
        ..Default::default()
    };
    world.runtime.run_sandbox(&orphan).await.unwrap();
    let agent = world.run_agent();
    tokio::time::timeout(Duration::from_secs(10), async {
        while world.runtime.sandboxes(None).await.unwrap().len() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the orphan is removed");
    assert_eq!(world.runtime.containers(None).await.unwrap(), before);
    agent.stop().await;
}

#[tokio::test]
async fn a_crashing_container_backs_off() {
    let crash = |_: &api::ContainerConfig| Behaviour::exit_after(Duration::from_millis(5), 1);
    let world = World::new(HollowRuntime::with(
        "10.244.1.0/24",
        crash,
        Arc::new(SystemClock),
    ))
    .await;
    let agent = world.run_agent();
    world.create("bad", one("Always")).await;
    let backs_off = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref()?.first());
        let waiting = status.and_then(|status| status.state.as_ref()?.waiting.as_ref());
        waiting.and_then(|waiting| waiting.reason.as_deref()) == Some("CrashLoopBackOff")
    };
    let pod = world.until("bad", backs_off).await.unwrap();
    assert_eq!(restarts(&pod), 1, "the first restart is immediate");
    assert_eq!(
        pod.status.as_ref().unwrap().phase.as_deref(),
        Some("Running")
    );
    agent.stop().await;
}

#[tokio::test]
async fn init_containers_come_first_and_a_failed_start_is_told() {
    let fail = |config: &api::ContainerConfig| Behaviour {
        start_failure: (config.metadata.as_ref().unwrap().name == "c")
            .then(|| "no such program".into()),
        ..Behaviour::usual(config)
    };
    let world = World::new(HollowRuntime::with(
        "10.244.1.0/24",
        fail,
        Arc::new(SystemClock),
    ))
    .await;
    let agent = world.run_agent();
    let spec = json!({"initContainers": [{"name": "i", "image": "x:1"}], "containers": [{"name": "c", "image": "x:1"}]});
    world.create("p", spec).await;
    let is_told = |pod: Option<&Pod>| {
        let status = pod.and_then(|pod| pod.status.as_ref()?.container_statuses.as_ref()?.first());
        let state = status
            .and_then(|status| status.state.clone())
            .unwrap_or_default();
        let waiting = state.waiting.and_then(|waiting| waiting.reason);
        matches!(
            waiting.as_deref(),
            Some("RunContainerError" | "CrashLoopBackOff")
        )
    };
    let pod = world.until("p", is_told).await.unwrap();
    let init = &pod
        .status
        .as_ref()
        .unwrap()
        .init_container_statuses
        .as_ref()
        .unwrap()[0];
    assert!(init.ready);
    agent.stop().await;
}
