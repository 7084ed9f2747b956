use serde_json::{Value, json};

use super::*;
use crate::{
    allocation::{Pending, PendingReason},
    cri::{Container, ContainerState, Sandbox},
    pod::ephemeral,
};

/// What a status is computed from, with everything usual filled in.
struct World {
    pod: Pod,
    view: PodView,
    verdicts: Verdicts,
    waiting: BTreeMap<String, Reason>,
    actuated: Actuated,
    allocation: Allocation,
    resize_error: Option<&'static str>,
    is_ending: bool,
}

fn world(spec: Value) -> World {
    World {
        pod: serde_json::from_value(json!({"metadata": {"name": "p", "uid": "u"}, "spec": spec}))
            .unwrap(),
        view: PodView::default(),
        verdicts: Verdicts::default(),
        waiting: BTreeMap::new(),
        actuated: Actuated::new(),
        allocation: Allocation::default(),
        resize_error: None,
        is_ending: false,
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

impl World {
    fn sandbox(mut self) -> Self {
        self.view.sandboxes = vec![Sandbox {
            id: "s".into(),
            is_ready: true,
            ips: vec!["10.0.0.5".into()],
            ..Sandbox::default()
        }];
        self
    }

    fn run(mut self, name: &str, count: u32, state: ContainerState, exit_code: i32) -> Self {
        let container = Container {
            id: format!("{name}{count}"),
            sandbox_id: "s".into(),
            name: name.into(),
            restart_count: count,
            state,
            exit_code,
            started_at: Some(time(100)),
            finished_at: (state == ContainerState::Exited).then(|| time(110)),
            ..Container::default()
        };
        self.view.containers.insert(0, container);
        self
    }

    fn running(self, name: &str) -> Self {
        self.run(name, 0, ContainerState::Running, 0)
    }

    fn exited(self, name: &str, exit_code: i32) -> Self {
        self.run(name, 0, ContainerState::Exited, exit_code)
    }

    fn waiting(mut self, name: &str, reason: &str) -> Self {
        self.waiting.insert(name.into(), Reason::new(reason, "m"));
        self
    }

    fn ending(mut self) -> Self {
        self.is_ending = true;
        self
    }

    fn status(&self, base: &PodStatus) -> PodStatus {
        let ephemeral = ephemeral::containers(self.pod.spec.as_ref().unwrap());
        status(&Facts {
            ephemeral: &ephemeral,
            pod: &self.pod,
            base,
            view: &self.view,
            verdicts: &self.verdicts,
            waiting: &self.waiting,
            last_words: &BTreeMap::new(),
            actuated: &self.actuated,
            allocation: &self.allocation,
            resize_error: self.resize_error,
            disruption: None,
            host_ips: &["192.168.0.1".into()],
            runtime: "containerd",
            can_recursive_read_only: true,
            is_ending: self.is_ending,
            failure: None,
            now: time(1000),
        })
    }

    #[track_caller]
    fn is(self, phase: &str, containers: &str, conditions: &str) {
        let status = self.status(&PodStatus::default());
        let shown = status
            .init_container_statuses
            .iter()
            .flatten()
            .chain(status.container_statuses.iter().flatten());
        let shown: Vec<String> = shown.map(describe).collect();
        assert_eq!(shown.join(" "), containers);
        assert_eq!(status.phase.as_deref(), Some(phase));
        let held: Vec<String> = status
            .conditions
            .iter()
            .flatten()
            .map(|condition| {
                let sign = if condition.status == "True" { "+" } else { "-" };
                match &condition.message {
                    Some(message) => format!("{sign}{}: {message}", condition.type_),
                    None => format!("{sign}{}", condition.type_),
                }
            })
            .filter(|text| !text.contains("PodScheduled"))
            .collect();
        assert_eq!(held.join("; "), conditions);
    }
}

fn describe(status: &ContainerStatus) -> String {
    let state = status.state.clone().unwrap_or_default();
    let last = status
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.clone());
    let mut text = match (state.waiting, state.running, state.terminated) {
        (Some(waiting), ..) => waiting.reason.unwrap_or_default(),
        (_, Some(_), _) if status.ready => "ready".into(),
        (_, Some(_), _) => "running".into(),
        (.., Some(end)) => format!("{}({})", end.reason.unwrap_or_default(), end.exit_code),
        _ => "nothing".into(),
    };
    if let Some(last) = last {
        text += &format!("<-{}", last.reason.unwrap_or_default());
    }
    format!("{}={text}#{}", status.name, status.restart_count)
}

fn pod(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a", "image": "x"}]})
}

#[test]
fn a_pod_goes_from_pending_to_running() {
    let unready = "containers with unready status: [a]";
    world(pod("Always")).is(
        "Pending",
        "a=ContainerCreating#0",
        &format!("-PodReadyToStartContainers; +Initialized; -Ready: {unready}; -ContainersReady: {unready}"),
    );
    world(pod("Always")).sandbox().running("a").is(
        "Running",
        "a=ready#0",
        "+PodReadyToStartContainers; +Initialized; +Ready; +ContainersReady",
    );
}

#[test]
fn the_end_depends_on_the_policy() {
    let ended = "-PodReadyToStartContainers; +Initialized; -Ready; -ContainersReady";
    world(pod("Never"))
        .exited("a", 0)
        .is("Succeeded", "a=Completed(0)#0", ended);
    world(pod("Never"))
        .exited("a", 2)
        .is("Failed", "a=Error(2)#0", ended);
    world(pod("OnFailure"))
        .exited("a", 0)
        .is("Succeeded", "a=Completed(0)#0", ended);
    let unready = "containers with unready status: [a]";
    world(pod("Always")).exited("a", 0).is(
        "Running",
        "a=Completed(0)#0",
        &format!("-PodReadyToStartContainers; +Initialized; -Ready: {unready}; -ContainersReady: {unready}"),
    );
    world(pod("Always"))
        .exited("a", 143)
        .ending()
        .is("Failed", "a=Error(143)#0", ended);
}

#[test]
fn a_crashing_container_waits_and_shows_its_last_end() {
    let unready = "containers with unready status: [a]";
    world(pod("Always")).sandbox().exited("a", 1).waiting("a", "CrashLoopBackOff").is(
        "Running",
        "a=CrashLoopBackOff<-Error#0",
        &format!("+PodReadyToStartContainers; +Initialized; -Ready: {unready}; -ContainersReady: {unready}"),
    );
    world(pod("Always"))
        .sandbox()
        .exited("a", 1)
        .run("a", 1, ContainerState::Running, 0)
        .is(
            "Running",
            "a=ready<-Error#1",
            "+PodReadyToStartContainers; +Initialized; +Ready; +ContainersReady",
        );
    world(pod("Always")).sandbox().waiting("a", "ErrImagePull").is(
        "Pending",
        "a=ErrImagePull#0",
        &format!("+PodReadyToStartContainers; +Initialized; -Ready: {unready}; -ContainersReady: {unready}"),
    );
}

#[test]
fn init_containers_hold_the_rest_back() {
    let spec =
        json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]});
    world(spec).sandbox().exited("i", 0).running("j").is(
        "Pending",
        "i=Completed(0)#0 j=running#0 a=PodInitializing#0",
        "+PodReadyToStartContainers; -Initialized: containers with incomplete status: [j]; \
         -Ready: containers with unready status: [a]; -ContainersReady: containers with unready status: [a]",
    );
}

#[test]
fn readiness_gates_are_the_last_word() {
    let spec = json!({"readinessGates": [{"conditionType": "g"}], "containers": [{"name": "a"}]});
    world(spec).sandbox().running("a").is(
        "Running",
        "a=ready#0",
        "+PodReadyToStartContainers; +Initialized; \
         -Ready: corresponding condition of pod readiness gate \"g\" does not exist.; +ContainersReady",
    );
}

#[test]
fn an_unchanged_status_needs_no_patch_and_foreign_conditions_stay() {
    let world = world(pod("Always")).sandbox().running("a");
    let mut base = world.status(&PodStatus::default());
    let foreign =
        serde_json::from_value(json!({"type": "example.com/x", "status": "True"})).unwrap();
    base.conditions.as_mut().unwrap().push(foreign);
    assert_eq!(patch("u", &base, &world.status(&base)), None);

    let world = world.exited("a", 1);
    let change = patch("u", &base, &world.status(&base)).unwrap();
    assert_eq!(change["metadata"], json!({"uid": "u"}));
    let types: Vec<_> = change["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type"].clone())
        .collect();
    assert_eq!(types, ["Ready", "ContainersReady"]);
    assert_eq!(change["status"].get("podIP"), None);
}

#[test]
fn an_address_that_changes_replaces_the_old_one() {
    let mut world = world(pod("Always")).sandbox().running("a");
    let base = world.status(&PodStatus::default());
    world.view.sandboxes[0].ips = vec!["10.0.0.6".into()];
    let change = patch("u", &base, &world.status(&base)).unwrap();
    assert_eq!(
        change["status"]["podIPs"],
        json!([{"ip": "10.0.0.6"}, {"$patch": "replace"}])
    );
}

#[test]
fn an_ephemeral_container_is_shown_and_counts_for_nothing() {
    let spec = json!({
        "containers": [{"name": "main"}],
        "ephemeralContainers": [{"name": "look", "image": "tools"}],
    });
    let world = world(spec).sandbox().running("main").exited("look", 1);
    let status = world.status(&PodStatus::default());
    assert_eq!(status.phase.as_deref(), Some("Running"));
    let shown = &status.ephemeral_container_statuses.unwrap()[0];
    let end = shown.state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((shown.name.as_str(), end.exit_code), ("look", 1));
    assert!(!shown.ready);
}

#[test]
fn a_resize_is_told_while_it_lasts() {
    let spec = json!({"containers": [{"name": "a", "resources": {"requests": {"cpu": "2"}}}]});
    let mut world = world(spec).sandbox().running("a");
    let given = serde_json::from_value(json!({"requests": {"cpu": "1"}})).unwrap();
    world.actuated.insert("a0".into(), given);
    world.allocation.generation = Some(2);
    world.allocation.pending = Some(Pending {
        reason: PendingReason::Deferred,
        message: "no room".into(),
    });
    world.resize_error = Some("too small");
    let during = world.status(&PodStatus::default());
    let told: Vec<_> = during.conditions.iter().flatten().skip(5).collect();
    let shown = |i: usize| {
        let condition: &k8s_openapi::api::core::v1::PodCondition = told[i];
        let (reason, message) = (condition.reason.clone(), condition.message.clone());
        (
            condition.type_.as_str(),
            reason.unwrap(),
            message.unwrap(),
            condition.observed_generation,
        )
    };
    assert_eq!(
        shown(0),
        (
            "PodResizePending",
            "Deferred".into(),
            "no room".into(),
            None
        )
    );
    assert_eq!(
        shown(1),
        (
            "PodResizeInProgress",
            "Error".into(),
            "too small".into(),
            Some(2)
        )
    );
    let of = |status: &PodStatus| {
        let container = status.container_statuses.as_ref().unwrap()[0].clone();
        let has = container.resources.unwrap().requests.unwrap()["cpu"]
            .0
            .clone();
        (has, container.allocated_resources.unwrap()["cpu"].0.clone())
    };
    assert_eq!(of(&during), ("1".into(), "2".into()));

    world.actuated.clear();
    world.allocation.pending = None;
    let after = world.status(&during);
    assert_eq!(of(&after), ("2".into(), "2".into()));
    let change = patch("u", &during, &after).unwrap();
    assert_eq!(
        change["status"]["conditions"],
        json!([
            {"$patch": "delete", "type": "PodResizePending"},
            {"$patch": "delete", "type": "PodResizeInProgress"},
        ])
    );
}
