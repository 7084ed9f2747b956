//! A whole agent over a hollow runtime and an API server, all in this process.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_apiserver::{ApiServer, User};
use k8s_kubelet::{
    Kubelet, NodeConfig,
    cri::{Runtime, api},
    hollow::{Behaviour, HollowRuntime},
};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_runtime::{Context, Hub, Informer, SystemClock};
use k8s_store::memory::MemoryStore;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const NODE: &str = "n1";

/// A server, a runtime, and one agent at a time.
struct World {
    server: ApiServer,
    runtime: HollowRuntime,
    directory: tempfile::TempDir,
}

struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    async fn new(runtime: HollowRuntime) -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .without_service_accounts()
            .build()
            .await
            .unwrap();
        Self {
            server,
            runtime,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn run_agent(&self) -> Running {
        let cancel = CancellationToken::new();
        let user = User::new(format!("system:node:{NODE}")).in_group("system:nodes");
        let ctx = Context {
            client: self.server.client(user),
            hub: Hub::new(self.server.client(User::new("system:informer-hub"))),
            cancel: cancel.clone(),
            clock: Arc::new(SystemClock),
        };
        let config = NodeConfig::new(NODE, self.directory.path());
        let kubelet = Kubelet::new(ctx, config, Arc::new(self.runtime.clone()));
        let task = tokio::spawn(async move { kubelet.run().await.unwrap() });
        Running { cancel, task }
    }

    fn client(&self) -> kube::Client {
        let admin = User::new("admin").in_group("kubeadm:cluster-admins");
        self.server.client(admin)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client(), "default")
    }

    async fn create(&self, name: &str, spec: Value) {
        let mut pod = json!({"metadata": {"name": name}, "spec": spec});
        pod["spec"]["nodeName"] = NODE.into();
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods()
            .create(&PostParams::default(), &pod)
            .await
            .unwrap();
    }

    /// Waits until the pod is as wanted; looks at every change, polls nothing.
    async fn until(&self, name: &str, wanted: impl Fn(Option<&Pod>) -> bool) -> Option<Arc<Pod>> {
        let informer = Informer::new(self.pods());
        let mut changes = informer.subscribe();
        let cancel = CancellationToken::new();
        let key = k8s_runtime::Key::new("default", name);
        let waiting = async {
            informer.synced().await;
            loop {
                let pod = informer.store().get(&key);
                if wanted(pod.as_deref()) {
                    return pod;
                }
                changes.next().await.unwrap();
            }
        };
        tokio::select! {
            () = informer.run(cancel.clone()) => None,
            pod = tokio::time::timeout(Duration::from_secs(20), waiting) => {
                pod.unwrap_or_else(|_| panic!("{name} did not come to be as wanted: {:#?}", informer.store().get(&key)))
            }
        }
    }

    async fn until_phase(&self, name: &str, phase: &str) -> Arc<Pod> {
        let is = |pod: Option<&Pod>| {
            let status = pod.and_then(|pod| pod.status.as_ref());
            status.and_then(|status| status.phase.as_deref()) == Some(phase)
        };
        self.until(name, is).await.unwrap()
    }
}

fn restarts(pod: &Pod) -> i32 {
    pod.status
        .as_ref()
        .unwrap()
        .container_statuses
        .as_ref()
        .unwrap()[0]
        .restart_count
}

fn one(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "c", "image": "x:1"}]})
}

fn usual() -> HollowRuntime {
    HollowRuntime::new("10.244.1.0/24")
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
