//! The status that a pod's spec, the runtime and the probes add up to.
//!
//! Pure: [`status`] computes the whole of what the agent reports, [`patch`] the difference to what
//! the API has. Conditions of others are never touched.

mod condition;
mod container;
mod patch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Container as Spec, ContainerStatus, HostIP, Pod, PodIP, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::{
    allocation::Allocation,
    pleg::PodView,
    pod::{actions::is_sidecar, resize::Actuated},
    probe::Verdicts,
};

pub(super) use condition::OURS;
pub use patch::patch;

/// Why a container isn't running, as its waiting state shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// One word, such as `CrashLoopBackOff`.
    pub reason: String,
    /// More.
    pub message: String,
}

impl Reason {
    /// A reason with its message.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// All that a status rests on.
pub(crate) struct Facts<'a> {
    /// The pod's ephemeral containers, as containers.
    pub ephemeral: &'a [Spec],
    /// The pod as the API has it; its status is what is compared with.
    pub pod: &'a Pod,
    /// The status that was last written or read.
    pub base: &'a PodStatus,
    /// The pod as the runtime has it.
    pub view: &'a PodView,
    /// What its probes found.
    pub verdicts: &'a Verdicts,
    /// Why containers wait, by name.
    pub waiting: &'a BTreeMap<String, Reason>,
    /// What containers left as their last words, by runtime id.
    pub last_words: &'a BTreeMap<String, String>,
    /// What containers were given, by runtime id.
    pub actuated: &'a Actuated,
    /// What the pod was promised.
    pub(crate) allocation: &'a Allocation,
    /// Why a resize fails, if it does.
    pub resize_error: Option<&'a str>,
    /// Why the node puts the pod out, if that is because it is short of something.
    pub disruption: Option<String>,
    /// The node's addresses.
    pub host_ips: &'a [String],
    /// `containerd` or another scheme for container ids.
    pub runtime: &'a str,
    /// Whether the runtime can forbid writing to what is mounted below a mount, too.
    pub can_recursive_read_only: bool,
    /// Whether the agent is ending the pod, or it has ended.
    pub is_ending: bool,
    /// Why the agent failed the pod, if it did.
    pub failure: Option<&'a Reason>,
    /// The time.
    pub now: Timestamp,
}

/// A time as the API stores it: to the second.
pub(crate) fn second(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The pod's status now.
pub(crate) fn status(facts: &Facts<'_>) -> PodStatus {
    let empty = PodSpec::default();
    let spec = facts.pod.spec.as_ref().unwrap_or(&empty);
    let init_specs = spec.init_containers.as_deref().unwrap_or_default();
    let is_initialized = is_initialized(init_specs, facts);
    let build = container::Builder {
        facts,
        is_initialized,
    };
    let init: Vec<_> = init_specs
        .iter()
        .map(|container| {
            build.status(
                container,
                facts.base.init_container_statuses.as_deref(),
                true,
            )
        })
        .collect();
    let main: Vec<_> = spec
        .containers
        .iter()
        .map(|container| build.status(container, facts.base.container_statuses.as_deref(), false))
        .collect();
    let known = facts.base.ephemeral_container_statuses.as_deref();
    let ephemeral = facts.ephemeral.iter();
    let ephemeral: Vec<_> = ephemeral
        .map(|container| build.ephemeral(container, known))
        .collect();
    // A pod has failed once nothing of it runs any more, not before.
    let failure = facts
        .failure
        .filter(|_| facts.view.running().next().is_none());
    let phase = match (failure, facts.base.phase.as_deref()) {
        (Some(_), _) => "Failed",
        // The end is final.
        (None, Some("Succeeded")) => "Succeeded",
        (None, Some("Failed")) => "Failed",
        (None, _) => phase(spec, &init, &main, facts.is_ending),
    };
    let mut status = PodStatus {
        phase: Some(phase.to_owned()),
        qos_class: Some(k8s_apimachinery::pod::qos::class(facts.pod).to_string()),
        observed_generation: facts.pod.metadata.generation,
        start_time: facts
            .base
            .start_time
            .clone()
            .or_else(|| Some(second(facts.now))),
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(main),
        ephemeral_container_statuses: (!ephemeral.is_empty()).then_some(ephemeral),
        reason: facts.base.reason.clone(),
        message: facts.base.message.clone(),
        ..PodStatus::default()
    };
    if let Some(failure) = failure {
        status.reason = Some(failure.reason.clone());
        status.message = Some(failure.message.clone());
    }
    addresses(facts, spec, &mut status);
    status.conditions = Some(condition::conditions(facts, spec, &status, is_initialized));
    status
}

/// Whether every init container has done its part: ended well, or, if it stays, started.
fn is_initialized(init: &[Spec], facts: &Facts<'_>) -> bool {
    init.iter().all(|container| {
        let run = facts.view.latest(&container.name);
        let was = facts.base.init_container_statuses.iter().flatten();
        let mut was = was.filter(|status| status.name == container.name);
        match run {
            Some(run) if is_sidecar(container) => {
                run.state == crate::cri::ContainerState::Running
                    && facts.verdicts.of(&run.id).is_started
                    || run.state == crate::cri::ContainerState::Exited && facts.is_ending
            }
            Some(run) => run.state == crate::cri::ContainerState::Exited && run.exit_code == 0,
            // Its traces may have been removed since.
            None => was.any(is_succeeded),
        }
    })
}

fn is_succeeded(status: &ContainerStatus) -> bool {
    let terminated = status
        .state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    terminated.is_some_and(|terminated| terminated.exit_code == 0)
}

fn addresses(facts: &Facts<'_>, spec: &PodSpec, status: &mut PodStatus) {
    let host_ips = facts.host_ips;
    status.host_ip = host_ips.first().cloned();
    status.host_ips = Some(
        host_ips
            .iter()
            .map(|ip| HostIP { ip: ip.clone() })
            .collect(),
    );
    let own = facts
        .view
        .ready_sandbox()
        .map(|sandbox| sandbox.ips.clone())
        .unwrap_or_default();
    let ips = if spec.host_network == Some(true) {
        host_ips.to_vec()
    } else {
        own
    };
    if ips.is_empty() {
        // A pod keeps showing the address it had.
        status.pod_ip = facts.base.pod_ip.clone();
        status.pod_ips = facts.base.pod_ips.clone();
    } else {
        status.pod_ip = ips.first().cloned();
        status.pod_ips = Some(ips.into_iter().map(|ip| PodIP { ip }).collect());
    }
}

/// The phase that the containers' states add up to.
fn phase(
    spec: &PodSpec,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    is_ending: bool,
) -> &'static str {
    let is_never = spec.restart_policy.as_deref() == Some("Never");
    let specs = spec.init_containers.iter().flatten();
    let (mut pending_init, mut failed_init) = (false, false);
    for (container, status) in specs.zip(init) {
        let state = status.state.clone().unwrap_or_default();
        match (&state.terminated, is_sidecar(container)) {
            (Some(_), true) => {}
            (Some(end), false) if end.exit_code == 0 => {}
            (Some(_), false) if is_never || is_ending => failed_init = true,
            (None, true) => pending_init |= status.started != Some(true),
            _ => pending_init = true,
        }
    }
    let (mut waiting, mut running, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for status in main {
        let state = status.state.clone().unwrap_or_default();
        let last = status
            .last_state
            .as_ref()
            .and_then(|last| last.terminated.as_ref());
        match (&state.running, &state.terminated, last) {
            (Some(_), ..) => running += 1,
            (None, Some(end), _) => {
                stopped += 1;
                succeeded += u32::from(end.exit_code == 0);
            }
            // Between two runs.
            (None, None, Some(_)) => stopped += 1,
            (None, None, None) => waiting += 1,
        }
    }
    if failed_init {
        return "Failed";
    }
    let is_over = running == 0 && waiting == 0 && stopped > 0;
    if is_ending && is_over {
        return if stopped == succeeded {
            "Succeeded"
        } else {
            "Failed"
        };
    }
    if pending_init && running == 0 && stopped == 0 || waiting > 0 {
        return "Pending";
    }
    if running > 0 {
        return "Running";
    }
    if !is_over {
        return "Pending";
    }
    match spec.restart_policy.as_deref() {
        Some("Never") if stopped == succeeded => "Succeeded",
        Some("Never") => "Failed",
        Some("OnFailure") if stopped == succeeded => "Succeeded",
        _ => "Running",
    }
}
