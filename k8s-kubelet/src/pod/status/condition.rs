//! The conditions that the agent owns, in the words that Kubernetes uses.

use k8s_openapi::api::core::v1::{ContainerStatus, PodCondition, PodSpec, PodStatus};

use super::{Facts, second};
use crate::pod::resize;

/// A condition's value before its times are known.
struct Claim {
    type_: &'static str,
    is_true: bool,
    reason: Option<&'static str>,
    message: Option<String>,
    /// The generation that it speaks of, if that isn't the newest.
    generation: Option<i64>,
}

/// The conditions that no one but the agent writes.
pub(in crate::pod) const OURS: [&str; 7] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    PENDING,
    IN_PROGRESS,
];
const PENDING: &str = "PodResizePending";
const IN_PROGRESS: &str = "PodResizeInProgress";

fn holds(type_: &'static str) -> Claim {
    Claim {
        type_,
        is_true: true,
        reason: None,
        message: None,
        generation: None,
    }
}

fn fails(type_: &'static str, reason: &'static str, message: Option<String>) -> Claim {
    Claim {
        type_,
        is_true: false,
        reason: Some(reason),
        message,
        generation: None,
    }
}

/// The conditions of a pod whose other status fields stand already.
pub(super) fn conditions(
    facts: &Facts<'_>,
    spec: &PodSpec,
    status: &PodStatus,
    is_initialized: bool,
) -> Vec<PodCondition> {
    let phase = status.phase.as_deref().unwrap_or_default();
    let containers_ready = containers_ready(phase, status);
    let claims = [
        sandbox(facts, phase),
        initialized(status, phase, is_initialized, spec),
        ready(facts, spec, phase, &containers_ready),
        containers_ready,
        holds("PodScheduled"),
    ];
    let resize = resize(facts, phase);
    claims
        .into_iter()
        .chain(resize)
        .chain(disruption(facts, phase))
        .map(|claim| stamp(facts, claim))
        .collect()
}

fn stamp(facts: &Facts<'_>, claim: Claim) -> PodCondition {
    let status = if claim.is_true { "True" } else { "False" };
    let known = facts.base.conditions.iter().flatten();
    let known = known.into_iter().find(|known| known.type_ == claim.type_);
    let since = known
        .filter(|known| known.status == status)
        .and_then(|known| known.last_transition_time.clone());
    PodCondition {
        type_: claim.type_.to_owned(),
        status: status.to_owned(),
        reason: claim.reason.map(str::to_owned),
        message: claim.message,
        last_transition_time: since.or_else(|| Some(second(facts.now))),
        last_probe_time: None,
        observed_generation: claim.generation.or(facts.pod.metadata.generation),
    }
}

/// How far a resize has come, as long as there is one.
fn resize(facts: &Facts<'_>, phase: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    if matches!(phase, "Succeeded" | "Failed") {
        return claims;
    }
    if let Some(pending) = &facts.allocation.pending {
        claims.push(Claim {
            reason: Some(pending.reason.as_str()),
            message: Some(pending.message.clone()),
            ..holds(PENDING)
        });
    }
    if resize::is_in_progress(facts.pod, facts.view, facts.actuated) {
        claims.push(Claim {
            reason: facts.resize_error.map(|_| "Error"),
            message: facts.resize_error.map(str::to_owned),
            generation: facts.allocation.generation,
            ..holds(IN_PROGRESS)
        });
    }
    claims
}

/// A pod that the node has put out wasn't at fault.
fn disruption(facts: &Facts<'_>, phase: &str) -> Option<Claim> {
    let message = facts.disruption.clone().filter(|_| phase == "Failed")?;
    Some(Claim {
        reason: Some("TerminationByKubelet"),
        message: Some(message),
        ..holds("DisruptionTarget")
    })
}

fn sandbox(facts: &Facts<'_>, phase: &str) -> Claim {
    let is_over = matches!(phase, "Succeeded" | "Failed");
    if !is_over && facts.view.ready_sandbox().is_some() {
        holds("PodReadyToStartContainers")
    } else {
        Claim {
            reason: None,
            ..fails("PodReadyToStartContainers", "", None)
        }
    }
}

fn initialized(status: &PodStatus, phase: &str, is_initialized: bool, spec: &PodSpec) -> Claim {
    if phase == "Succeeded" {
        return Claim {
            reason: Some("PodCompleted"),
            ..holds("Initialized")
        };
    }
    if is_initialized {
        return holds("Initialized");
    }
    let incomplete = status.init_container_statuses.iter().flatten();
    let is_sidecar = |name: &str| {
        let mut init = spec.init_containers.iter().flatten();
        init.any(|container| container.name == name && super::is_sidecar(container))
    };
    let incomplete = incomplete.filter(|status| {
        if is_sidecar(&status.name) {
            status.started != Some(true)
        } else {
            !status.ready
        }
    });
    let message = format!("containers with incomplete status: {}", names(incomplete));
    fails("Initialized", "ContainersNotInitialized", Some(message))
}

fn containers_ready(phase: &str, status: &PodStatus) -> Claim {
    match phase {
        "Succeeded" => return fails("ContainersReady", "PodCompleted", None),
        "Failed" => return fails("ContainersReady", "PodFailed", None),
        _ => {}
    }
    let unready = || {
        let main = status.container_statuses.iter().flatten();
        main.filter(|status| !status.ready)
    };
    if unready().next().is_none() {
        return holds("ContainersReady");
    }
    let message = format!("containers with unready status: {}", names(unready()));
    fails("ContainersReady", "ContainersNotReady", Some(message))
}

fn ready(facts: &Facts<'_>, spec: &PodSpec, phase: &str, containers: &Claim) -> Claim {
    if !containers.is_true {
        let reason = match phase {
            "Succeeded" => "PodCompleted",
            "Failed" => "PodFailed",
            _ => "ContainersNotReady",
        };
        return fails("Ready", reason, containers.message.clone());
    }
    let known: Vec<_> = facts.base.conditions.iter().flatten().collect();
    let unmet: Vec<String> = spec
        .readiness_gates
        .iter()
        .flatten()
        .filter_map(|gate| {
            let type_ = &gate.condition_type;
            match known.iter().find(|known| known.type_ == *type_) {
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{type_}\" does not exist."
                )),
                Some(known) if known.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{type_}\" is not \"True\", but {}",
                    known.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    if unmet.is_empty() {
        holds("Ready")
    } else {
        fails("Ready", "ReadinessGatesNotReady", Some(unmet.join(", ")))
    }
}

/// Names as Go prints a slice of strings: `[a b]`.
fn names<'a>(statuses: impl Iterator<Item = &'a ContainerStatus>) -> String {
    let names: Vec<_> = statuses.map(|status| status.name.as_str()).collect();
    format!("[{}]", names.join(" "))
}
