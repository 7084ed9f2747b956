//! Disruption budgets across server and controllers: nodes are drained as fast as the budget allows, and no faster.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Event, Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn budget(bound: Value) -> PodDisruptionBudget {
    let mut spec = bound;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    object(json!({"metadata": {"name": "web"}, "spec": spec}))
}

fn workload<T: serde::de::DeserializeOwned>(replicas: i32) -> T {
    object(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 0},
            },
        },
    }))
}

fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    let is_going = pod.metadata.deletion_timestamp.is_some();
    !is_going && conditions.any(|each| each.type_ == "Ready" && each.status == "True")
}

fn ready(pods: &[Arc<Pod>]) -> usize {
    pods.iter().filter(|pod| is_ready(pod)).count()
}

fn on_node(pod: &Pod, node: &str) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node)
}

/// What `kubectl drain` does: cordons the node, evicts its pods, and asks again for those that a budget keeps. Tells how
/// often it was refused.
async fn drain(cluster: &Cluster, node: &str) -> usize {
    let nodes: Api<Node> = Api::all(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    let params = PatchParams::default();
    nodes.patch(node, &params, &cordon).await.unwrap();
    let mut refusals = 0;
    loop {
        let here: BTreeSet<String> = {
            let all = pods.list(&Default::default()).await.unwrap();
            let here = all.items.into_iter().filter(|pod| on_node(pod, node));
            here.filter_map(|pod| pod.metadata.name).collect()
        };
        if here.is_empty() {
            return refusals;
        }
        for name in &here {
            match pods.evict(name, &EvictParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(kube::Error::Api(status)) => {
                    assert_eq!(
                        (status.code, status.message.as_str()),
                        (
                            429,
                            "Cannot evict pod as it would violate the pod's disruption budget."
                        )
                    );
                    refusals += 1;
                    // Another pod is getting ready elsewhere: then there is room again.
                    let budgets: Api<PodDisruptionBudget> =
                        Api::default_namespaced(cluster.client());
                    let has_room = |budgets: &[Arc<PodDisruptionBudget>]| {
                        let status = budgets.iter().find_map(|budget| budget.status.as_ref());
                        status.is_some_and(|status| status.disruptions_allowed > Some(0))
                    };
                    cluster.until(&budgets, has_room).await.unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_without_falling_below_the_budget() {
    let cluster = Cluster::builder()
        .controllers([
            "deployment",
            "replicaset",
            "disruption",
            "service-account",
            "node-lifecycle",
        ])
        .scheduler()
        .hollow_nodes(2)
        .start()
        .await
        .unwrap();
    let nodes: Api<Node> = Api::all(cluster.client());
    let both = |nodes: &[Arc<Node>]| nodes.len() == 2;
    cluster.until(&nodes, both).await.unwrap();
    let params = PostParams::default();
    let deployments: Api<Deployment> = Api::default_namespaced(cluster.client());
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(cluster.client());
    deployments.create(&params, &workload(4)).await.unwrap();
    cluster.until(&pods, |pods| ready(pods) == 4).await.unwrap();
    budgets
        .create(&params, &budget(json!({"minAvailable": "75%"})))
        .await
        .unwrap();
    let open = |budgets: &[Arc<PodDisruptionBudget>]| {
        let status = budgets.iter().find_map(|budget| budget.status.as_ref());
        status.is_some_and(|status| {
            status.disruptions_allowed == Some(1) && status.expected_pods == Some(4)
        })
    };
    cluster.until(&budgets, open).await.unwrap();

    // Every state that a watcher sees has at least three pods that are ready.
    let watched = pods.clone();
    let fewest = {
        let informer = k8s_runtime::Informer::new(watched);
        let stop = tokio_util::sync::CancellationToken::new();
        let mut changes = informer.subscribe();
        let running = informer.clone();
        let until = stop.clone();
        let task = tokio::spawn(async move { running.run(until).await });
        informer.synced().await;
        let store = informer.store();
        let watch = tokio::spawn(async move {
            use futures::StreamExt;
            let mut fewest = usize::MAX;
            while changes.next().await.is_some() {
                fewest = fewest.min(ready(&store.list()));
            }
            fewest
        });
        drain(&cluster, "hollow-0").await;
        stop.cancel();
        task.await.unwrap();
        drop(informer);
        watch.await.unwrap()
    };
    assert!(fewest >= 3, "{fewest} were ready at one time");
    let elsewhere =
        |pods: &[Arc<Pod>]| ready(pods) == 4 && pods.iter().all(|pod| on_node(pod, "hollow-1"));
    cluster.until(&pods, elsewhere).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_over_pods_that_do_not_scale_says_so_and_stays_closed() {
    let cluster = Cluster::builder()
        .controllers(["disruption"])
        .start()
        .await
        .unwrap();
    let params = PostParams::default();
    let pods: Api<Pod> = Api::default_namespaced(cluster.client());
    let sets: Api<StatefulSet> = Api::default_namespaced(cluster.client());
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(cluster.client());
    let pod = |name: &str, kind: &str, uid: &str| -> Pod {
        object(json!({
            "metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": uid, "controller": true},
            ]},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
        }))
    };
    pods.create(&params, &pod("d", "DaemonSet", "u"))
        .await
        .unwrap();
    budgets
        .create(&params, &budget(json!({"maxUnavailable": 1})))
        .await
        .unwrap();
    let says = |wanted: &'static str, allowed: i32| {
        move |budgets: &[Arc<PodDisruptionBudget>]| {
            let status = budgets.iter().find_map(|budget| budget.status.as_ref());
            status.is_some_and(|status| {
                let conditions = status.conditions.iter().flatten();
                let mut conditions =
                    conditions.map(|each| format!("{} {}", each.reason, each.message));
                status.disruptions_allowed == Some(allowed) && conditions.any(|said| said == wanted)
            })
        }
    };
    let closed = says(
        "SyncFailed daemonsets.apps does not implement the scale subresource",
        0,
    );
    cluster.until(&budgets, closed).await.unwrap();
    let events: Api<Event> = Api::default_namespaced(cluster.client());
    let told = |events: &[Arc<Event>]| {
        let reason = "CalculateExpectedPodCountFailed";
        events
            .iter()
            .any(|event| event.reason.as_deref() == Some(reason))
    };
    cluster.until(&events, told).await.unwrap();

    // A pod that was evicted in the meantime is refused for the same reason.
    let running = json!({"status": {"phase": "Running"}});
    let patch = PatchParams::default();
    pods.patch_status("d", &patch, &Patch::Merge(running))
        .await
        .unwrap();
    let refused = pods.evict("d", &EvictParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 429));

    let gone = DeleteParams::default().grace_period(0);
    pods.delete("d", &gone).await.unwrap();
    let set = sets.create(&params, &workload(2)).await.unwrap();
    let uid = set.metadata.uid.unwrap();
    pods.create(&params, &pod("web-0", "StatefulSet", &uid))
        .await
        .unwrap();
    let counted = says("InsufficientPods ", 0);
    let counted = move |budgets: &[Arc<PodDisruptionBudget>]| {
        let status = budgets.iter().find_map(|budget| budget.status.as_ref());
        counted(budgets) && status.is_some_and(|status| status.expected_pods == Some(2))
    };
    cluster.until(&budgets, counted).await.unwrap();
    cluster.stop().await;
}
