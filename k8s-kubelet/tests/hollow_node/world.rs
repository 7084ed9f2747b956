//! A server, a runtime, and one agent at a time, all in this process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_apiserver::{ApiServer, User};
use k8s_kubelet::{Kubelet, NodeConfig, hollow::HollowRuntime};
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::{Context, Hub, Informer, SystemClock};
use k8s_store::memory::MemoryStore;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const NODE: &str = "n1";

/// A server, a runtime, and one agent at a time.
pub(crate) struct World {
    server: ApiServer,
    pub(crate) runtime: HollowRuntime,
    directory: tempfile::TempDir,
    capacity: BTreeMap<String, String>,
}

pub(crate) struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

impl World {
    pub(crate) async fn new(runtime: HollowRuntime) -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .without_service_accounts()
            .build()
            .await
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("manifests")).unwrap();
        Self {
            server,
            runtime,
            directory,
            capacity: BTreeMap::new(),
        }
    }

    pub(crate) fn with_cpu(mut self, cpu: &str) -> Self {
        self.capacity.insert("cpu".into(), cpu.into());
        self
    }

    pub(crate) fn run_agent(&self) -> Running {
        let cancel = CancellationToken::new();
        let user = User::new(format!("system:node:{NODE}")).in_group("system:nodes");
        let ctx = Context {
            client: self.server.client(user),
            hub: Hub::new(self.server.client(User::new("system:informer-hub"))),
            cancel: cancel.clone(),
            clock: Arc::new(SystemClock),
        };
        let mut config = NodeConfig::new(NODE, self.directory.path());
        config.capacity.clone_from(&self.capacity);
        config.static_pod_path = Some(self.manifests());
        let kubelet = Kubelet::new(ctx, config, Arc::new(self.runtime.clone()));
        let task = tokio::spawn(async move { kubelet.run().await.unwrap() });
        Running { cancel, task }
    }

    /// Where manifests of static pods lie.
    pub(crate) fn manifests(&self) -> std::path::PathBuf {
        self.directory.path().join("manifests")
    }

    pub(crate) fn client(&self) -> kube::Client {
        let admin = User::new("admin").in_group("kubeadm:cluster-admins");
        self.server.client(admin)
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client(), "default")
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) {
        let mut pod = json!({"metadata": {"name": name}, "spec": spec});
        pod["spec"]["nodeName"] = NODE.into();
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods()
            .create(&PostParams::default(), &pod)
            .await
            .unwrap();
    }

    /// Waits until the pod is as wanted; looks at every change, polls nothing.
    pub(crate) async fn until(
        &self,
        name: &str,
        wanted: impl Fn(Option<&Pod>) -> bool,
    ) -> Option<Arc<Pod>> {
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

    pub(crate) async fn until_phase(&self, name: &str, phase: &str) -> Arc<Pod> {
        let is = |pod: Option<&Pod>| {
            let status = pod.and_then(|pod| pod.status.as_ref());
            status.and_then(|status| status.phase.as_deref()) == Some(phase)
        };
        self.until(name, is).await.unwrap()
    }
}

pub(crate) fn one(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "c", "image": "x:1"}]})
}

pub(crate) fn usual() -> HollowRuntime {
    HollowRuntime::new("10.244.1.0/24")
}
