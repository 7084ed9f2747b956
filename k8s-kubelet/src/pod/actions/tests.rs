use serde_json::{Value, json};

use super::*;
use crate::{cri::Sandbox, pod::ephemeral, probe::Verdict};

/// A world in which a plan is made.
struct World {
    pod: Pod,
    view: PodView,
    verdicts: Verdicts,
    backoff: CrashBackoff,
    actuated: Actuated,
    now: Timestamp,
}

fn world(spec: Value) -> World {
    World {
        pod: serde_json::from_value(json!({"metadata": {"name": "p", "uid": "u"}, "spec": spec}))
            .unwrap(),
        view: PodView::default(),
        verdicts: Verdicts::default(),
        backoff: CrashBackoff::default(),
        actuated: Actuated::default(),
        now: Timestamp::from_second(1000).unwrap(),
    }
}

impl World {
    fn sandbox(mut self, attempt: u32, is_ready: bool) -> Self {
        let sandbox = Sandbox {
            id: format!("s{attempt}"),
            attempt,
            is_ready,
            ..Sandbox::default()
        };
        self.view.sandboxes.insert(0, sandbox);
        self
    }

    /// A run of a container in the newest sandbox; its id is its name and number.
    fn run(mut self, name: &str, count: u32, state: ContainerState, exit_code: i32) -> Self {
        let spec = self.pod.spec.as_ref().unwrap();
        let mut all = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten());
        let container = Container {
            id: format!("{name}{count}"),
            sandbox_id: self.view.sandboxes[0].id.clone(),
            name: name.into(),
            restart_count: count,
            hash: all
                .find(|spec| spec.name == name)
                .map(label::fingerprint)
                .unwrap_or_default(),
            state,
            exit_code,
            finished_at: (state == ContainerState::Exited).then_some(self.now),
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

    fn verdict(mut self, id: &str, verdict: Verdict) -> Self {
        self.verdicts.0.insert(id.into(), verdict);
        self
    }

    /// The container with this id was given so much of a core.
    fn given(mut self, id: &str, cpu: &str) -> Self {
        let given = serde_json::from_value(json!({"limits": {"cpu": cpu}})).unwrap();
        self.actuated.insert(id.into(), given);
        self
    }

    /// The plan in words.
    #[track_caller]
    fn plans(self, expected: &str) {
        let ephemeral = ephemeral::containers(self.pod.spec.as_ref().unwrap());
        let plan = plan(Observed {
            pod: &self.pod,
            ephemeral: &ephemeral,
            view: &self.view,
            verdicts: &self.verdicts,
            backoff: &self.backoff,
            actuated: &self.actuated,
            now: self.now,
        });
        let mut words = Vec::new();
        words.extend(plan.stop_sandboxes.iter().map(|id| format!("stop {id}")));
        words.extend(
            plan.stop
                .iter()
                .map(|stop| format!("kill {}: {}", stop.id, stop.message)),
        );
        let resizes = plan.resize.iter();
        words.extend(resizes.map(|resize| format!("resize {}", resize.id)));
        words.extend(plan.remove.iter().map(|id| format!("remove {id}")));
        if let SandboxAction::Create(attempt) = plan.sandbox {
            words.push(format!("sandbox {attempt}"));
        }
        words.extend(
            plan.start
                .iter()
                .map(|start| format!("start {}#{}", start.container.name, start.restart_count)),
        );
        words.extend(
            plan.waiting
                .iter()
                .map(|waiting| format!("wait {} {}s", waiting.name, waiting.wait.left.as_secs())),
        );
        assert_eq!(words.join("; "), expected);
        assert_eq!(
            plan.is_idle(),
            plan.start.is_empty()
                && plan.stop.is_empty()
                && plan.resize.is_empty()
                && plan.remove.is_empty()
                && plan.stop_sandboxes.is_empty()
                && !expected.contains("sandbox")
        );
    }
}

fn two() -> Value {
    json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]})
}

fn one(policy: &str) -> Value {
    json!({"restartPolicy": policy, "containers": [{"name": "a", "image": "x"}]})
}

#[test]
fn a_new_pod_gets_a_sandbox_and_all_its_containers() {
    world(two()).plans("sandbox 0; start a#0; start b#0");
    world(two())
        .sandbox(0, true)
        .running("a")
        .plans("start b#0");
    world(two())
        .sandbox(0, true)
        .running("a")
        .running("b")
        .plans("");
}

#[test]
fn a_dead_sandbox_is_replaced_and_its_containers_started_anew() {
    world(two())
        .sandbox(0, false)
        .exited("a", 0)
        .exited("b", 0)
        .plans("stop s0; sandbox 1; start a#1; start b#1");
    world(one("Never"))
        .sandbox(0, false)
        .exited("a", 1)
        .plans("");
    world(two())
        .sandbox(0, true)
        .sandbox(1, true)
        .running("a")
        .running("b")
        .plans("stop s0");
}

#[test]
fn the_restart_policy_decides_over_what_ended() {
    for (policy, exit_code, expected) in [
        ("Always", 0, "start a#1"),
        ("Always", 1, "start a#1"),
        ("OnFailure", 0, ""),
        ("OnFailure", 1, "start a#1"),
        ("Never", 1, ""),
    ] {
        world(one(policy))
            .sandbox(0, true)
            .exited("a", exit_code)
            .plans(expected);
    }
}

#[test]
fn a_crashing_container_waits() {
    let mut crashing = world(one("Always"))
        .sandbox(0, true)
        .run("a", 2, ContainerState::Exited, 1);
    let now = crashing.now;
    crashing.backoff.restarted("a", now, now);
    crashing.plans("wait a 10s");
}

#[test]
fn init_containers_run_one_by_one_before_the_rest() {
    let spec = json!({"restartPolicy": "OnFailure",
        "initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]});
    world(spec.clone()).plans("sandbox 0; start i#0");
    let world = || world(spec.clone()).sandbox(0, true);
    world().running("i").plans("");
    world().exited("i", 0).plans("start j#0");
    world().exited("i", 1).plans("start i#1");
    world().exited("i", 0).exited("j", 0).plans("start a#0");
    world().exited("i", 0).exited("j", 0).running("a").plans("");
}

#[test]
fn a_failed_init_container_ends_a_pod_that_never_restarts() {
    let spec = json!({"restartPolicy": "Never", "initContainers": [{"name": "i"}], "containers": [{"name": "a"}]});
    let world = world(spec).sandbox(0, true).exited("i", 3);
    assert!(is_finished(world.pod.spec.as_ref().unwrap(), &world.view));
    world.plans("");
}

#[test]
fn a_sidecar_must_have_started_and_is_always_restarted() {
    let spec = json!({"restartPolicy": "Never",
        "initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a"}]});
    let pending = Verdict {
        is_started: false,
        ..Verdict::default()
    };
    let world = || world(spec.clone()).sandbox(0, true);
    world().plans("start s#0");
    world().running("s").verdict("s0", pending).plans("");
    world().running("s").plans("start a#0");
    world().exited("s", 1).running("a").plans("start s#1");
    world().exited("s", 0).exited("a", 0).plans("");
}

#[test]
fn a_new_image_restarts_the_container() {
    let mut changed = world(two()).sandbox(0, true).running("a").running("b");
    changed.pod.spec.as_mut().unwrap().containers[0].image = Some("z".into());
    changed.plans("kill a0: Container a definition changed, will be restarted");
}

#[test]
fn probes_that_give_up_kill_and_the_policy_says_what_then() {
    let dead = |probe| Verdict {
        fatal: Some(probe),
        ..Verdict::default()
    };
    let world = |policy| world(one(policy)).sandbox(0, true).running("a");
    world("Always")
        .verdict("a0", dead(Fatal::Liveness))
        .plans("kill a0: Container a failed liveness probe, will be restarted");
    world("Never")
        .verdict("a0", dead(Fatal::Startup))
        .plans("kill a0: Container a failed startup probe");
}

#[test]
fn leftovers_of_an_interrupted_start_are_made_anew_under_their_number() {
    world(one("Always"))
        .sandbox(0, true)
        .run("a", 4, ContainerState::Created, 0)
        .plans("remove a4; start a#4");
}

#[test]
fn ephemeral_containers_run_once_whatever_the_phase() {
    let spec = || {
        json!({
            "initContainers": [{"name": "init"}],
            "containers": [{"name": "main"}],
            "ephemeralContainers": [{"name": "look"}],
        })
    };
    world(spec()).plans("sandbox 0; start init#0");
    let starting = || world(spec()).sandbox(0, true).running("init");
    starting().plans("start look#0");
    starting().running("look").plans("");
    starting().exited("look", 1).plans("");
    let interrupted = starting().run("look", 0, ContainerState::Created, 0);
    interrupted.plans("remove look0; start look#0");
}

#[test]
fn what_was_given_follows_what_was_promised() {
    let spec = |policy: &str| {
        json!({
            "restartPolicy": "OnFailure",
            "initContainers": [{
                "name": "s", "image": "y", "restartPolicy": "Always", "resources": {"limits": {"cpu": "1"}},
            }],
            "containers": [{
                "name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}},
                "resizePolicy": [{"resourceName": "cpu", "restartPolicy": policy}],
            }],
        })
    };
    let running = |policy: &str| {
        world(spec(policy))
            .sandbox(0, true)
            .running("s")
            .running("a")
    };
    running("NotRequired").plans("");
    running("NotRequired")
        .given("a0", "1")
        .given("s0", "1")
        .plans("");
    running("NotRequired").given("a0", "2").plans("resize a0");
    running("NotRequired").given("s0", "2").plans("resize s0");
    running("RestartContainer")
        .given("a0", "2")
        .given("s0", "500m")
        .plans("kill a0: Container a resize requires restart; resize s0; start a#1");
}
