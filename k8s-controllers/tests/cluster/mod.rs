//! Controllers on a stand-in API, with a stand-in for nodes that runs whatever it finds.

// Each test program uses a part of this module.
#![allow(dead_code)]

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_controllers::builtins;
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::{Context, Event, TokioClock, testing::FakeApi};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A control plane of chosen controllers under paused time.
pub(crate) struct Cluster {
    pub(crate) api: FakeApi,
    pub(crate) ctx: Context,
    tasks: JoinSet<()>,
}

impl Cluster {
    /// Starts the controllers of these names, and the nodes.
    pub(crate) fn start(names: &[&str]) -> Self {
        let api = FakeApi::new();
        let mut ctx = Context::new(api.client());
        let start = "2026-01-01T00:00:00Z".parse().expect("a time");
        ctx.clock = Arc::new(TokioClock::new(start));
        let mut tasks = JoinSet::new();
        for name in names {
            let mut all = builtins().iter();
            let builtin = all.find(|builtin| builtin.name == *name);
            let builtin = builtin.unwrap_or_else(|| panic!("no controller {name}"));
            tasks.spawn((builtin.run)(ctx.clone()));
        }
        tasks.spawn(run_pods(ctx.clone()));
        Self { api, ctx, tasks }
    }

    /// Lets everything come to rest.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// All objects of a typed collection in `default`.
    pub(crate) async fn list<K>(&self) -> Vec<K>
    where
        K: k8s_runtime::Object + kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.ctx.client.clone(), "default");
        api.list(&ListParams::default())
            .await
            .expect("a list")
            .items
    }

    /// Merges a change into an object in `default`.
    pub(crate) async fn change<K>(&self, name: &str, change: Value) -> K
    where
        K: k8s_runtime::Object + kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.ctx.client.clone(), "default");
        let params = PatchParams::default();
        let changed = api.patch(name, &params, &Patch::Merge(change)).await;
        changed.expect("the change is accepted")
    }

    /// Deletes an object in `default`.
    pub(crate) async fn delete<K>(&self, name: &str, params: DeleteParams)
    where
        K: k8s_runtime::Object + kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.ctx.client.clone(), "default");
        api.delete(name, &params).await.expect("deleted");
    }

    /// Stops everything and sees that it ends.
    pub(crate) async fn stop(mut self) {
        self.ctx.cancel.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no controller panics");
        }
    }
}

/// Every pod runs and is ready half a second after it was made.
async fn run_pods(ctx: Context) {
    let informer = ctx.hub.informer::<Pod>();
    let mut pods = informer.subscribe();
    let run = async {
        while let Some(event) = pods.next().await {
            let Event::Added(pod) = event else { continue };
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = ctx.clock.now();
            let status = json!({"status": {"phase": "Running", "podIP": "10.244.0.5", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": now.to_string()},
            ]}});
            let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
            let api: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let params = PatchParams::default();
            // It may be gone already.
            let _ = api.patch_status(name, &params, &Patch::Merge(status)).await;
        }
    };
    ctx.cancel.run_until_cancelled(run).await;
}
