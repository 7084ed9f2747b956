use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use k8s_runtime::testing::FakeApi;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::*;
use crate::{
    framework::{BindPlugin, PermitPlugin, Plugin, Points, Verdict},
    testing::{node, pod},
};

/// Binds by writing `spec.nodeName`, since the stand-in API has no `pods/binding`.
struct Writer(kube::Client);

impl Plugin for Writer {
    fn name(&self) -> &'static str {
        "Writer"
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.bind(self);
    }
}

#[async_trait]
impl BindPlugin for Writer {
    async fn bind(&self, pod: &PodInfo, node: &str) -> Verdict {
        let pods: Api<Pod> = Api::namespaced(self.0.clone(), &pod.key.namespace);
        let patch = Patch::Merge(json!({"spec": {"nodeName": node}}));
        match pods
            .patch(&pod.key.name, &PatchParams::default(), &patch)
            .await
        {
            Ok(_) => Verdict::Success,
            Err(error) => Verdict::Error(error.to_string()),
        }
    }
}

struct Setup {
    api: FakeApi,
    ctx: Context,
    _tasks: JoinSet<()>,
}

fn start(build: impl FnOnce(Builder) -> Builder) -> Setup {
    let api = FakeApi::new();
    let ctx = Context::new(api.client());
    let builder = Scheduler::builder(ctx.clone())
        .seed(1)
        .plugin(Writer(api.client()));
    let mut tasks = JoinSet::new();
    tasks.spawn(build(builder).build().run());
    Setup {
        api,
        ctx,
        _tasks: tasks,
    }
}

impl Setup {
    fn add_pod(&self, name: &str, cpu: &str) {
        let pod = pod(name).requests(&[("cpu", cpu)]).build();
        self.api.put_new("/api/v1/namespaces/default/pods", &pod);
    }

    fn add_node(&self, name: &str, cpu: &str) {
        self.api
            .put_new("/api/v1/nodes", &node(name).room(cpu, "8Gi").build());
    }

    async fn pod(&self, name: &str) -> Pod {
        let pods: Api<Pod> = Api::namespaced(self.ctx.client.clone(), "default");
        pods.get(name).await.unwrap()
    }

    async fn node_of(&self, name: &str) -> Option<String> {
        self.pod(name).await.spec.unwrap().node_name
    }

    async fn events(&self) -> Vec<String> {
        let events: Api<k8s_openapi::api::core::v1::Event> =
            Api::namespaced(self.ctx.client.clone(), "default");
        let list = events.list(&Default::default()).await.unwrap();
        let text = |field: Option<String>| field.unwrap_or_default();
        let lines = list.items.into_iter();
        lines
            .map(|e| format!("{}: {}", text(e.reason), text(e.message)))
            .collect()
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn pods_get_nodes_and_the_assumed_ones_count() {
    let setup = start(|builder| builder);
    setup.add_node("n1", "1");
    setup.add_node("n2", "1");
    setup.add_pod("a", "1");
    setup.add_pod("b", "1");
    pass(1).await;
    let nodes = BTreeSet::from([setup.node_of("a").await, setup.node_of("b").await]);
    assert_eq!(nodes, [Some("n1".to_owned()), Some("n2".to_owned())].into());
    let events = setup.events().await;
    assert_eq!(events.len(), 2);
    assert!(
        events[0].starts_with("Scheduled: Successfully assigned default/"),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_nowhere_says_why_and_goes_where_room_appears() {
    let setup = start(|builder| builder);
    setup.add_node("small", "1");
    setup.add_pod("big", "2");
    pass(5).await;
    let conditions = setup.pod("big").await.status.unwrap().conditions.unwrap();
    assert_eq!(conditions[0].type_, "PodScheduled");
    assert_eq!(conditions[0].reason.as_deref(), Some("Unschedulable"));
    let message = conditions[0].message.clone().unwrap();
    assert!(
        message.starts_with("0/1 nodes are available: 1 Insufficient cpu."),
        "{message}"
    );
    assert_eq!(
        setup.events().await,
        [format!("FailedScheduling: {message}")]
    );
    setup.add_node("large", "4");
    pass(5).await;
    assert_eq!(setup.node_of("big").await.as_deref(), Some("large"));
}

/// Holds every pod.
struct Hold;

impl Plugin for Hold {
    fn name(&self) -> &'static str {
        "Hold"
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.permit(self);
    }
}

impl PermitPlugin for Hold {
    fn permit(&self, _pod: &PodInfo, _node: &str) -> Verdict {
        Verdict::Wait(Duration::from_secs(60))
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_pod_waits_for_permission() {
    let waiting = WaitingPods::default();
    let setup = start(|builder| builder.plugin(Hold).waiting(waiting.clone()));
    setup.add_node("n", "4");
    setup.add_pod("a", "1");
    setup.add_pod("late", "1");
    pass(5).await;
    assert_eq!(setup.node_of("a").await, None);
    assert!(waiting.allow(&Key::new("default", "a")));
    pass(1).await;
    assert_eq!(setup.node_of("a").await.as_deref(), Some("n"));
    pass(60).await;
    let conditions = setup.pod("late").await.status.unwrap().conditions.unwrap();
    assert!(
        conditions[0]
            .message
            .as_deref()
            .unwrap()
            .starts_with("timed out waiting")
    );
}

#[tokio::test(start_paused = true)]
async fn pods_of_other_schedulers_are_left_alone() {
    let setup = start(|builder| builder);
    setup.add_node("n", "4");
    let other = pod("other").spec(json!({"schedulerName": "mine"})).build();
    setup.api.put_new("/api/v1/namespaces/default/pods", &other);
    pass(5).await;
    assert_eq!(setup.node_of("other").await, None);
}

/// Says that it has bound, counts how often, and lets nobody see it.
struct Silent(Arc<AtomicUsize>);

impl Plugin for Silent {
    fn name(&self) -> &'static str {
        "Writer"
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.bind(self);
    }
}

#[async_trait]
impl BindPlugin for Silent {
    async fn bind(&self, _pod: &PodInfo, _node: &str) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Success
    }
}

#[tokio::test(start_paused = true)]
async fn late_news_of_a_bound_pod_does_not_bind_it_twice() {
    let count = Arc::new(AtomicUsize::new(0));
    let setup = start(|builder| builder.plugin(Silent(count.clone())));
    setup.add_node("n", "4");
    setup.add_pod("a", "1");
    pass(1).await;
    let pods: Api<Pod> = Api::namespaced(setup.ctx.client.clone(), "default");
    let patch = Patch::Merge(json!({"metadata": {"labels": {"late": "news"}}}));
    pods.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    pass(60).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_binding_is_tried_again_elsewhere_or_later() {
    let setup = start(|builder| builder);
    setup.add_node("n", "4");
    pass(1).await;
    setup.add_pod("a", "1");
    setup.api.fail_next(1);
    pass(30).await;
    assert_eq!(setup.node_of("a").await.as_deref(), Some("n"));
}
