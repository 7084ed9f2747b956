//! What to do for a pod: a comparison of its spec with what the runtime has.
//!
//! Pure: [`plan`] sees states only, never which event woke the worker, and returns what
//! `sync` then does. A plan takes the pod one step further; after each step the
//! runtime is looked at again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, Pod, PodSpec};

use crate::{
    cri::{Container, ContainerState, label},
    pleg::PodView,
    pod::{
        backoff::{CrashBackoff, Wait},
        resize::{self, Actuated, Change, Resize},
    },
    probe::{Fatal, Verdicts},
};

#[cfg(test)]
mod tests;

/// All that a decision rests on.
#[derive(Clone, Copy)]
pub struct Observed<'a> {
    /// The pod as the API has it.
    pub pod: &'a Pod,
    /// Its ephemeral containers, as containers.
    pub ephemeral: &'a [Spec],
    /// The pod as the runtime has it.
    pub view: &'a PodView,
    /// What its probes found.
    pub verdicts: &'a Verdicts,
    /// The waits of its crashing containers.
    pub backoff: &'a CrashBackoff,
    /// What its containers were given, by the runtime's ids; those that are missing have what the spec says.
    pub actuated: &'a Actuated,
    /// The time.
    pub now: Timestamp,
}

/// What to do with the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SandboxAction {
    /// Nothing: there is none, and none is needed.
    #[default]
    None,
    /// The newest one stands.
    Keep(String),
    /// Make one, with this attempt number.
    Create(u32),
}

/// A container to end before anything is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The runtime's id.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// Why, as the Killing event says it.
    pub message: String,
    /// The probe that asks for it: its own grace period may apply.
    pub probe: Option<Fatal>,
}

/// A container to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Start<'a> {
    /// Its spec.
    pub container: &'a Spec,
    /// How often it was started before.
    pub restart_count: u32,
    /// When its last run ended, if this is a restart after a crash or completion.
    pub after: Option<Timestamp>,
}

/// A container that has to wait after crashing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub name: String,
    /// How long.
    pub wait: Wait,
}

/// What to do, in this order of fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan<'a> {
    /// Sandboxes to stop, with all that runs in them: dead or superfluous.
    pub stop_sandboxes: Vec<String>,
    /// Containers to end.
    pub stop: Vec<Stop>,
    /// Containers that were made and never started: leftovers of an interrupted start.
    pub remove: Vec<String>,
    /// The sandbox.
    pub sandbox: SandboxAction,
    /// Running containers that are to have other resources.
    pub resize: Vec<Resize<'a>>,
    /// Whether the pod's group is to follow containers that end for other resources.
    pub resizes_pod: bool,
    /// Containers to start, in order; independent of each other.
    pub start: Vec<Start<'a>>,
    /// Containers in back-off.
    pub waiting: Vec<Waiting>,
}

impl Plan<'_> {
    /// Whether there is nothing to do now.
    pub fn is_idle(&self) -> bool {
        self.stop_sandboxes.is_empty()
            && self.stop.is_empty()
            && self.remove.is_empty()
            && self.resize.is_empty()
            && self.start.is_empty()
            && !matches!(self.sandbox, SandboxAction::Create(_))
    }

    /// When to look again although nothing has changed.
    pub fn wake(&self) -> Option<Duration> {
        self.waiting.iter().map(|waiting| waiting.wait.left).min()
    }
}

/// Whether a container is an init container that keeps running beside the main ones.
pub fn is_sidecar(container: &Spec) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Whether a container that ended shall run again.
pub fn is_restarted(spec: &PodSpec, container: &Spec, exit_code: i32) -> bool {
    let policy = container
        .restart_policy
        .as_deref()
        .or(spec.restart_policy.as_deref());
    match policy {
        Some("Never") => false,
        Some("OnFailure") => exit_code != 0,
        _ => true,
    }
}

/// Whether all main containers have ended for good, or an init container has failed for good.
pub fn is_finished(spec: &PodSpec, view: &PodView) -> bool {
    let ended = |container: &&Spec| {
        let latest = view.latest(&container.name);
        latest
            .filter(|run| run.state == ContainerState::Exited)
            .filter(|run| !is_restarted(spec, container, run.exit_code))
            .map(|run| run.exit_code)
    };
    let mut init = spec.init_containers.iter().flatten();
    init.any(|container| ended(&container).is_some_and(|code| code != 0))
        || (!spec.containers.is_empty()
            && spec
                .containers
                .iter()
                .all(|container| ended(&container).is_some()))
}

/// Decides the next step for a pod that is to run.
pub fn plan<'a>(observed: Observed<'a>) -> Plan<'a> {
    let Some(spec) = &observed.pod.spec else {
        return Plan::default();
    };
    if is_finished(spec, observed.view) {
        return Plan::default();
    }
    let mut plan = Plan::default();
    let superfluous = observed
        .view
        .sandboxes
        .iter()
        .skip(1)
        .filter(|sandbox| sandbox.is_ready);
    plan.stop_sandboxes
        .extend(superfluous.map(|sandbox| sandbox.id.clone()));

    match observed.view.sandboxes.first() {
        Some(sandbox) if sandbox.is_ready => plan.sandbox = SandboxAction::Keep(sandbox.id.clone()),
        Some(dead) => {
            plan.stop_sandboxes.push(dead.id.clone());
            plan.sandbox = SandboxAction::Create(dead.attempt + 1);
        }
        None => plan.sandbox = SandboxAction::Create(0),
    }
    let step = Step {
        observed,
        spec,
        sandbox: observed
            .view
            .ready_sandbox()
            .map(|sandbox| sandbox.id.as_str()),
    };
    step.ephemeral(&mut plan);
    if step.init(&mut plan) {
        for container in &spec.containers {
            step.main(container, &mut plan);
        }
    }
    plan
}

/// How far an init container has come.
#[derive(PartialEq)]
enum Progress {
    Passed,
    Blocked,
}

struct Step<'a> {
    observed: Observed<'a>,
    spec: &'a PodSpec,
    /// The sandbox that stands.
    sandbox: Option<&'a str>,
}

impl<'a> Step<'a> {
    /// The container's newest run, if it belongs to the sandbox that stands.
    fn current(&self, name: &str) -> Option<&'a Container> {
        let latest = self.observed.view.latest(name);
        latest.filter(|run| Some(run.sandbox_id.as_str()) == self.sandbox)
    }

    /// Ephemeral containers run once, whatever phase the pod is in, as soon as there is a sandbox.
    fn ephemeral(&self, plan: &mut Plan<'a>) {
        for container in self
            .observed
            .ephemeral
            .iter()
            .filter(|_| self.sandbox.is_some())
        {
            match self.observed.view.latest(&container.name) {
                None => self.start(container, plan),
                Some(run) if run.state == ContainerState::Created => {
                    self.renew(container, run, plan);
                }
                Some(_) => {}
            }
        }
    }

    /// The init phase; true once the main containers may run.
    fn init(&self, plan: &mut Plan<'a>) -> bool {
        let is_past = self
            .spec
            .containers
            .iter()
            .any(|container| self.current(&container.name).is_some());
        for container in self.spec.init_containers.iter().flatten() {
            let progress = if is_sidecar(container) {
                self.sidecar(container, plan)
            } else if is_past {
                Progress::Passed
            } else {
                self.init_container(container, plan)
            };
            if progress == Progress::Blocked && !is_past {
                return false;
            }
        }
        true
    }

    fn init_container(&self, container: &'a Spec, plan: &mut Plan<'a>) -> Progress {
        let Some(run) = self.current(&container.name) else {
            self.start(container, plan);
            return Progress::Blocked;
        };
        match run.state {
            ContainerState::Exited if run.exit_code == 0 => return Progress::Passed,
            ContainerState::Exited => self.restart(container, run, plan),
            ContainerState::Created => self.renew(container, run, plan),
            ContainerState::Unknown => self.stop_unknown(run, plan),
            ContainerState::Running => {}
        }
        Progress::Blocked
    }

    fn sidecar(&self, container: &'a Spec, plan: &mut Plan<'a>) -> Progress {
        self.main(container, plan);
        let is_started = self.current(&container.name).is_some_and(|run| {
            run.state == ContainerState::Running && self.observed.verdicts.of(&run.id).is_started
        });
        if is_started {
            Progress::Passed
        } else {
            Progress::Blocked
        }
    }

    fn main(&self, container: &'a Spec, plan: &mut Plan<'a>) {
        let Some(run) = self.current(&container.name) else {
            let last = self.observed.view.latest(&container.name);
            let is_done = last.is_some_and(|run| {
                run.state == ContainerState::Exited
                    && !is_restarted(self.spec, container, run.exit_code)
            });
            if !is_done {
                self.start(container, plan);
            }
            return;
        };
        match run.state {
            ContainerState::Exited => self.restart(container, run, plan),
            ContainerState::Created => self.renew(container, run, plan),
            ContainerState::Unknown => self.stop_unknown(run, plan),
            ContainerState::Running => self.check(container, run, plan),
        }
    }

    /// A running container ends when its definition changed or a probe gave it up; it may get other resources.
    fn check(&self, container: &'a Spec, run: &Container, plan: &mut Plan<'a>) {
        let name = &container.name;
        let fatal = self.observed.verdicts.of(&run.id).fatal;
        let is_changed = !run.hash.is_empty() && run.hash != label::fingerprint(container);
        let (reason, restarts) = match fatal {
            _ if is_changed => (format!("Container {name} definition changed"), true),
            Some(probe) => {
                let probe = probe.as_str();
                let reason = format!("Container {name} failed {probe} probe");
                (reason, is_restarted(self.spec, container, 137))
            }
            None => return self.resize(container, run, plan),
        };
        let message = if restarts {
            format!("{reason}, will be restarted")
        } else {
            reason
        };
        plan.stop.push(Stop {
            id: run.id.clone(),
            name: name.clone(),
            message,
            probe: fatal,
        });
    }

    /// Brings a running container to the resources that its pod was allocated. Where that takes a restart, it ends
    /// and starts in one step: neither the pod's restart policy nor a wait has a say.
    fn resize(&self, container: &'a Spec, run: &Container, plan: &mut Plan<'a>) {
        let Some(given) = self.observed.actuated.get(&run.id) else {
            return;
        };
        match resize::change(container, given) {
            Change::None => {}
            Change::InPlace => plan
                .resize
                .push(resize::in_place(container, &run.id, given)),
            Change::Restart => {
                plan.stop.push(Stop {
                    id: run.id.clone(),
                    name: container.name.clone(),
                    message: format!("Container {} resize requires restart", container.name),
                    probe: None,
                });
                plan.resizes_pod = true;
                plan.start.push(Start {
                    container,
                    restart_count: run.restart_count + 1,
                    after: None,
                });
            }
        }
    }

    fn stop_unknown(&self, run: &Container, plan: &mut Plan<'a>) {
        plan.stop.push(Stop {
            id: run.id.clone(),
            name: run.name.clone(),
            message: format!(
                "Container {} is in unknown state, try killing it before restart",
                run.name
            ),
            probe: None,
        });
    }

    /// A container that has no run in this sandbox.
    fn start(&self, container: &'a Spec, plan: &mut Plan<'a>) {
        let last = self.observed.view.latest(&container.name);
        plan.start.push(Start {
            container,
            restart_count: last.map_or(0, |run| run.restart_count + 1),
            after: None,
        });
    }

    /// A container that was made but never started: make it anew, under the same number.
    fn renew(&self, container: &'a Spec, run: &Container, plan: &mut Plan<'a>) {
        plan.remove.push(run.id.clone());
        plan.start.push(Start {
            container,
            restart_count: run.restart_count,
            after: None,
        });
    }

    /// A container that ended: start it again unless it is done or has to wait.
    fn restart(&self, container: &'a Spec, run: &Container, plan: &mut Plan<'a>) {
        if !is_restarted(self.spec, container, run.exit_code) {
            return;
        }
        let finished = run.finished_at.unwrap_or(self.observed.now);
        let wait = self
            .observed
            .backoff
            .wait(&container.name, finished, self.observed.now);
        if let Some(wait) = wait {
            plan.waiting.push(Waiting {
                name: container.name.clone(),
                wait,
            });
            return;
        }
        plan.start.push(Start {
            container,
            restart_count: run.restart_count + 1,
            after: Some(finished),
        });
    }
}
