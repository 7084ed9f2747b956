//! The status of one container: its newest run, the one before, and why it waits.

use k8s_openapi::api::core::v1::{
    Container as Spec, ContainerState as State, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, VolumeMountStatus,
};

use super::{Facts, second};
use crate::{
    cri::{Container, ContainerState},
    pod::actions::is_sidecar,
};

pub(super) struct Builder<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) is_initialized: bool,
}

impl Builder<'_> {
    /// The status of a container; `known` are the statuses that the API has.
    pub(super) fn status(
        &self,
        container: &Spec,
        known: Option<&[ContainerStatus]>,
        is_init: bool,
    ) -> ContainerStatus {
        let name = &container.name;
        let known = known
            .into_iter()
            .flatten()
            .find(|status| status.name == *name);
        let mut status = ContainerStatus {
            name: name.clone(),
            image: container.image.clone().unwrap_or_default(),
            started: Some(false),
            volume_mounts: volume_mounts(container, self.facts.can_recursive_read_only),
            ..ContainerStatus::default()
        };
        match self.facts.view.latest(name) {
            Some(run) => self.describe(run, &mut status),
            None => self.remember(known, is_init, &mut status),
        }
        let reason = self.facts.waiting.get(name);
        let is_running = status
            .state
            .as_ref()
            .is_some_and(|state| state.running.is_some());
        if let Some(reason) = reason.filter(|_| !is_running && !self.facts.is_ending) {
            let waiting = State {
                waiting: Some(ContainerStateWaiting {
                    reason: Some(reason.reason.clone()),
                    message: Some(reason.message.clone()).filter(|text| !text.is_empty()),
                }),
                ..State::default()
            };
            let before = status.state.replace(waiting);
            if before
                .as_ref()
                .is_some_and(|state| state.terminated.is_some())
            {
                status.last_state = before;
            }
        }
        if is_init && !is_sidecar(container) {
            // An init container is ready once it is done.
            let state = status.state.as_ref();
            let end = state.and_then(|state| state.terminated.as_ref());
            status.ready = end.is_some_and(|end| end.exit_code == 0);
        }
        let resources = container.resources.as_ref();
        if let Some(resources) = resources.filter(|_| is_running) {
            let run = self.facts.view.latest(name);
            let given = run.and_then(|run| self.facts.actuated.get(&run.id));
            status.allocated_resources = resources.requests.clone();
            status.resources = Some(given.unwrap_or(resources).clone());
        }
        status
    }

    /// The status of an ephemeral container: whatever it does, nobody counts on it.
    pub(super) fn ephemeral(
        &self,
        container: &Spec,
        known: Option<&[ContainerStatus]>,
    ) -> ContainerStatus {
        ContainerStatus {
            ready: false,
            started: None,
            ..self.status(container, known, false)
        }
    }

    /// From what the runtime has.
    fn describe(&self, run: &Container, status: &mut ContainerStatus) {
        let verdict = self.facts.verdicts.of(&run.id);
        status.restart_count = i32::try_from(run.restart_count).unwrap_or(i32::MAX);
        status.container_id = Some(self.id(run));
        status.image_id.clone_from(&run.image_ref);
        if !run.image.is_empty() && !run.image.starts_with("sha256:") {
            status.image.clone_from(&run.image);
        }
        let state = match run.state {
            ContainerState::Running => {
                status.started = Some(verdict.is_started);
                status.ready = verdict.is_started && verdict.is_ready;
                State {
                    running: Some(ContainerStateRunning {
                        started_at: run.started_at.map(second),
                    }),
                    ..State::default()
                }
            }
            ContainerState::Exited | ContainerState::Unknown => self.ended(run),
            ContainerState::Created => waiting("ContainerCreating"),
        };
        status.state = Some(state);
        let before = self.facts.view.runs(&run.name).nth(1);
        status.last_state = before
            .filter(|run| run.state == ContainerState::Exited)
            .map(|run| self.ended(run))
            .or_else(|| Some(State::default()));
    }

    /// The runtime has nothing of the container.
    fn remember(
        &self,
        known: Option<&ContainerStatus>,
        is_init: bool,
        status: &mut ContainerStatus,
    ) {
        let last = known
            .and_then(|known| known.state.clone())
            .unwrap_or_default();
        if let Some(known) = known {
            status.restart_count = known.restart_count;
        }
        match known {
            // It ended, and its traces have been removed.
            Some(known) if last.terminated.is_some() => *status = known.clone(),
            Some(known) if last.running.is_some() => {
                let lost = State {
                    terminated: Some(ContainerStateTerminated {
                        reason: Some("ContainerStatusUnknown".into()),
                        message: Some(
                            "The container could not be located when the pod was terminated".into(),
                        ),
                        exit_code: 137,
                        ..ContainerStateTerminated::default()
                    }),
                    ..State::default()
                };
                if self.facts.is_ending {
                    *status = known.clone();
                    status.ready = false;
                    status.started = Some(false);
                    status.state = Some(lost);
                } else {
                    status.state = Some(waiting("ContainerCreating"));
                    status.last_state = Some(lost);
                }
            }
            _ => {
                let is_blocked = !is_init && !self.is_initialized || is_init && self.has_init_run();
                let reason = if is_blocked {
                    "PodInitializing"
                } else {
                    "ContainerCreating"
                };
                status.state = Some(waiting(reason));
                status.last_state = Some(State::default());
            }
        }
    }

    /// Whether the init phase is under way, so that what waits waits for it.
    fn has_init_run(&self) -> bool {
        let spec = self.facts.pod.spec.as_ref();
        let init = spec
            .into_iter()
            .flat_map(|spec| spec.init_containers.iter().flatten());
        init.into_iter()
            .any(|container| self.facts.view.latest(&container.name).is_some())
    }

    fn ended(&self, run: &Container) -> State {
        let reason = match run.reason.as_str() {
            "" if run.state == ContainerState::Unknown => "ContainerStatusUnknown",
            "" if run.exit_code == 0 => "Completed",
            "" => "Error",
            reason => reason,
        };
        let last_words = self.facts.last_words.get(&run.id).unwrap_or(&run.message);
        State {
            terminated: Some(ContainerStateTerminated {
                container_id: Some(self.id(run)),
                exit_code: if run.state == ContainerState::Unknown {
                    137
                } else {
                    run.exit_code
                },
                reason: Some(reason.to_owned()),
                message: Some(last_words.clone()).filter(|words| !words.is_empty()),
                started_at: run.started_at.map(second),
                finished_at: run.finished_at.map(second),
                signal: None,
            }),
            ..State::default()
        }
    }

    fn id(&self, run: &Container) -> String {
        format!("{}://{}", self.facts.runtime, run.id)
    }
}

fn waiting(reason: &str) -> State {
    State {
        waiting: Some(ContainerStateWaiting {
            reason: Some(reason.to_owned()),
            message: None,
        }),
        ..State::default()
    }
}

fn volume_mounts(container: &Spec, can_be_deep: bool) -> Option<Vec<VolumeMountStatus>> {
    let mounts = container.volume_mounts.as_ref()?;
    let protection = |wanted: Option<&str>| match wanted {
        Some("Enabled" | "IfPossible") if can_be_deep => "Enabled",
        _ => "Disabled",
    };
    let status = mounts.iter().map(|mount| VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only,
        recursive_read_only: (mount.read_only == Some(true))
            .then(|| protection(mount.recursive_read_only.as_deref()).to_owned()),
        ..VolumeMountStatus::default()
    });
    Some(status.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_protects_a_mount_is_told_as_it_is() {
        let told = |wanted: Option<&str>, can_be_deep| {
            let mount = json!({"name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": wanted});
            let container = json!({"name": "c", "volumeMounts": [mount]});
            let container = serde_json::from_value(container).unwrap();
            let mut mounts = volume_mounts(&container, can_be_deep).unwrap();
            mounts.remove(0).recursive_read_only.unwrap()
        };
        assert_eq!(told(Some("IfPossible"), true), "Enabled");
        assert_eq!(told(Some("IfPossible"), false), "Disabled");
        assert_eq!(told(Some("Disabled"), true), "Disabled");
        assert_eq!(told(None, true), "Disabled");
    }
}
