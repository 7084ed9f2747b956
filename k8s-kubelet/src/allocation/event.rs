//! What events say about a resize, in Kubernetes' words.

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Map, Value, json};

use super::{Outcome, PendingReason};
use crate::agent::Agent;

/// How far a resize has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResizeEvent {
    /// It was promised.
    Started,
    /// Others hold too much of the node.
    Deferred,
    /// The node is too small.
    Infeasible,
    /// The runtime or the kernel refused.
    Error,
    /// Containers have what was promised.
    Completed,
}

impl ResizeEvent {
    /// The event's reason.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Started => "ResizeStarted",
            Self::Deferred => "ResizeDeferred",
            Self::Infeasible => "ResizeInfeasible",
            Self::Error => "ResizeError",
            Self::Completed => "ResizeCompleted",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Started => "Pod resize started",
            Self::Deferred => "Pod resize Deferred",
            Self::Infeasible => "Pod resize Infeasible",
            Self::Error => "Pod resize error",
            Self::Completed => "Pod resize completed",
        }
    }
}

/// Says what came of looking at a pod's resize.
pub(crate) fn tell(agent: &Agent, pod: &Pod, outcome: &Outcome) {
    let (event, error) = match outcome {
        Outcome::Promised => (ResizeEvent::Started, ""),
        Outcome::Pending(pending) => match pending.reason {
            PendingReason::Deferred => (ResizeEvent::Deferred, pending.message.as_str()),
            PendingReason::Infeasible => (ResizeEvent::Infeasible, pending.message.as_str()),
        },
        Outcome::Withdrawn => return,
    };
    let text = message(event, pod, pod.metadata.generation, error);
    let about = k8s_runtime::reference(pod);
    match event {
        ResizeEvent::Started => agent.normal(about, event.reason(), text),
        _ => agent.warning(about, event.reason(), text),
    }
}

/// The event's message: what the pod's containers are to have, in which generation, and what is in the way.
pub(crate) fn message(
    event: ResizeEvent,
    pod: &Pod,
    generation: Option<i64>,
    error: &str,
) -> String {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref());
    let main = spec.map(|spec| spec.containers.as_slice());
    let mut summary = Map::new();
    for (name, list) in [("initContainers", init), ("containers", main)] {
        let list = list.unwrap_or_default();
        if !list.is_empty() {
            summary.insert(name.into(), list.iter().map(container).collect());
        }
    }
    summary.insert("generation".into(), generation.unwrap_or_default().into());
    if !error.is_empty() {
        summary.insert("error".into(), error.into());
    }
    format!("{}: {}", event.words(), Value::Object(summary))
}

fn container(container: &Container) -> Value {
    let resources = container.resources.clone().unwrap_or_default();
    json!({"name": container.name, "resources": resources})
}
