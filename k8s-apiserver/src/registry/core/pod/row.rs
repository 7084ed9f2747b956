//! What `kubectl get pods` prints.
//!
//! The status column condenses phase, conditions and container states into one word, the same way as
//! Kubernetes does: what holds up the first unfinished init container, else the state of the first
//! main container that isn't simply running.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, human_duration},
};

use crate::registry::cell::{self, items};

pub(super) static COLUMNS: [ColumnDefinition; 9] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Ready", "Ready containers, out of all that stay."),
    ColumnDefinition::text("Status", "Where the pod stands, in one word."),
    ColumnDefinition::text(
        "Restarts",
        "Restarts of the containers, and when the last was.",
    ),
    ColumnDefinition::AGE,
    ColumnDefinition::text("IP", "Address of the pod.").wide(),
    ColumnDefinition::text("Node", "Node that the pod is bound to.").wide(),
    ColumnDefinition::text("Nominated Node", "Node that is being cleared for the pod.").wide(),
    ColumnDefinition::text("Readiness Gates", "Gates passed, out of all.").wide(),
];

pub(super) fn cells(pod: &Object, now: Timestamp) -> Vec<Value> {
    let summary = Summary::of(pod);
    vec![
        pod.name().into(),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        summary.restarts.text(now).into(),
        age_of(pod, now).into(),
        or_none(pod_ip(pod)),
        cell::text_or_else(pod, &["spec", "nodeName"], "<none>"),
        cell::text_or_else(pod, &["status", "nominatedNodeName"], "<none>"),
        readiness_gates(pod).into(),
    ]
}

/// The pod's first address; empty while it has none.
pub(super) fn pod_ip(pod: &Object) -> &str {
    let first = items(pod, &["status", "podIPs"]).first();
    let first = first.and_then(|ip| ip["ip"].as_str());
    first
        .or_else(|| pod.str(&["status", "podIP"]))
        .unwrap_or_default()
}

fn or_none(text: &str) -> Value {
    if text.is_empty() {
        "<none>".into()
    } else {
        text.into()
    }
}

/// Restarts, and when the last container that restarted had ended.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += container["restartCount"].as_i64().unwrap_or(0);
        let ended = container["lastState"]["terminated"]["finishedAt"].as_str();
        self.last = self.last.max(ended.and_then(|time| time.parse().ok()));
    }

    fn text(&self, now: Timestamp) -> String {
        match self.last.filter(|_| self.count != 0) {
            Some(last) => {
                let ago = human_duration(now.duration_since(last).as_secs());
                format!("{} ({ago} ago)", self.count)
            }
            None => self.count.to_string(),
        }
    }
}

#[derive(Default)]
struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Object) -> Self {
        let sidecars = sidecars(pod);
        let mut summary = Summary {
            total: cell::count(pod, &["spec", "containers"]) + sidecars.len(),
            reason: initial_reason(pod),
            ..Summary::default()
        };
        let kept_restarts = summary.add_init_containers(pod, &sidecars);
        if let Some(restarts) = kept_restarts {
            summary.restarts = restarts;
            summary.add_containers(pod);
        }
        summary.add_deletion(pod);
        summary
    }

    /// Looks at init containers up to the first that holds the pod up. Gives back the restarts that
    /// still count once the pod is initialised, `None` before.
    fn add_init_containers(&mut self, pod: &Object, sidecars: &[&str]) -> Option<Restarts> {
        let statuses = items(pod, &["status", "initContainerStatuses"]);
        let total = cell::count(pod, &["spec", "initContainers"]);
        let mut of_sidecars = Restarts::default();
        let mut is_initialising = false;
        for (at, container) in statuses.iter().enumerate() {
            let is_sidecar = container["name"]
                .as_str()
                .is_some_and(|n| sidecars.contains(&n));
            self.restarts.add(container);
            if is_sidecar {
                of_sidecars.add(container);
            }
            let (terminated, waiting) = states(container);
            if terminated.is_some_and(|t| t["exitCode"].as_i64().unwrap_or(0) == 0) {
                continue;
            }
            if is_sidecar && container["started"] == true {
                self.ready += usize::from(container["ready"] == true);
                continue;
            }
            let waiting = waiting.filter(|reason| *reason != "PodInitializing");
            self.reason = match (terminated, waiting) {
                (Some(terminated), _) => format!("Init:{}", end_reason(terminated)),
                (None, Some(reason)) => format!("Init:{reason}"),
                (None, None) => format!("Init:{at}/{total}"),
            };
            is_initialising = true;
            break;
        }
        (!is_initialising || is_true(pod, "Initialized")).then_some(of_sidecars)
    }

    fn add_containers(&mut self, pod: &Object) {
        let mut is_any_running = false;
        // The first container has the last word.
        for container in items(pod, &["status", "containerStatuses"]).iter().rev() {
            self.restarts.add(container);
            match states(container) {
                (_, Some(reason)) => self.reason = reason.to_owned(),
                (Some(terminated), None) => self.reason = end_reason(terminated),
                (None, None) => {
                    let runs = container["state"]["running"].is_object();
                    if runs && container["ready"] == true {
                        is_any_running = true;
                        self.ready += 1;
                    }
                }
            }
        }
        if self.reason == "Completed" && is_any_running {
            let is_ready = is_true(pod, "Ready");
            self.reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn add_deletion(&mut self, pod: &Object) {
        if pod.deletion_timestamp().is_none() {
            return;
        }
        let phase = pod.str(&["status", "phase"]).unwrap_or_default();
        if pod.str(&["status", "reason"]) == Some("NodeLost") {
            self.reason = "Unknown".to_owned();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            self.reason = "Terminating".to_owned();
        }
    }
}

/// Names of the init containers that stay.
fn sidecars(pod: &Object) -> Vec<&str> {
    let init = items(pod, &["spec", "initContainers"]).iter();
    let staying = init.filter(|container| container["restartPolicy"] == "Always");
    staying
        .filter_map(|container| container["name"].as_str())
        .collect()
}

fn initial_reason(pod: &Object) -> String {
    let conditions = items(pod, &["status", "conditions"]);
    let is_gated = |condition: &Value| {
        condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated"
    };
    if conditions.iter().any(is_gated) {
        return "SchedulingGated".to_owned();
    }
    let text = |field| pod.str(&["status", field]).unwrap_or_default();
    let reason = [text("reason"), text("phase")]
        .into_iter()
        .find(|text| !text.is_empty());
    reason.unwrap_or_default().to_owned()
}

/// The terminated state, and the reason for waiting.
fn states(container: &Value) -> (Option<&Value>, Option<&str>) {
    let state = &container["state"];
    let terminated = Some(&state["terminated"]).filter(|t| t.is_object());
    let waiting = state["waiting"]["reason"]
        .as_str()
        .filter(|reason| !reason.is_empty());
    (terminated, waiting)
}

fn end_reason(terminated: &Value) -> String {
    let number = |field: &str| terminated[field].as_i64().unwrap_or(0);
    match (terminated["reason"].as_str(), number("signal")) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, 0) => format!("ExitCode:{}", number("exitCode")),
        (_, signal) => format!("Signal:{signal}"),
    }
}

fn is_true(pod: &Object, type_: &str) -> bool {
    let conditions = items(pod, &["status", "conditions"]);
    conditions
        .iter()
        .any(|c| c["type"] == type_ && c["status"] == "True")
}

fn readiness_gates(pod: &Object) -> String {
    let gates = items(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let passed = |gate: &&Value| is_true(pod, gate["conditionType"].as_str().unwrap_or_default());
    format!("{}/{}", gates.iter().filter(passed).count(), gates.len())
}
