//! Whether a pod may be evicted, and what its disruption budget pays for it. Pure.

use std::time::Duration;

use k8s_apimachinery::{
    Object, Value,
    api::policy::budget::{DISRUPTION_ALLOWED, SYNC_FAILED, verdict},
    selector::label::LabelSelector,
};
use serde_json::json;

use crate::{
    ApiError,
    error::GroupResource,
    registry::{cell, condition},
};

/// With more evictions than this under way, the controller has to confirm some first.
const DISRUPTED_MAX: usize = 2000;
/// How long to wait for the controller to look at a budget that has changed.
const PROCESSING: Duration = Duration::from_secs(10);

/// The budget with one disruption less, if the eviction costs one; `None` if it is free.
///
/// `budgets` are those of the pod's namespace, `now` is in the form of `metav1.Time`.
pub(crate) fn charge(
    pod: &Object,
    budgets: impl IntoIterator<Item = Object>,
    now: &str,
) -> Result<Option<Object>, ApiError> {
    if costs_nothing(pod) {
        return Ok(None);
    }
    let mut matching = budgets.into_iter().filter(|budget| covers(budget, pod));
    let Some(mut budget) = matching.next() else {
        return Ok(None);
    };
    if matching.next().is_some() {
        return Err(ApiError::ManyBudgets);
    }
    if !is_ready(pod) && spares_unhealthy(&budget) {
        return Ok(None);
    }
    check(&budget)?;
    take_one(&mut budget, pod.name(), now);
    Ok(Some(budget))
}

/// Marks the pod as one that was evicted.
pub(crate) fn mark(pod: &mut Object, now: &str) {
    let mut target = json!({
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    });
    if pod.generation() > 0 {
        target["observedGeneration"] = pod.generation().into();
    }
    condition::set(pod, target, now);
}

/// A pod that has ended, has not begun, or is going already serves nobody.
fn costs_nothing(pod: &Object) -> bool {
    let phase = pod.str(&["status", "phase"]);
    matches!(phase, Some("Succeeded" | "Failed" | "Pending")) || pod.deletion_timestamp().is_some()
}

fn covers(budget: &Object, pod: &Object) -> bool {
    let selector = budget.get(&["spec", "selector"]).unwrap_or(&Value::Null);
    // A selector that can't be read matches no pod.
    LabelSelector::from_value(selector).is_ok_and(|selector| selector.matches(|key| pod.label(key)))
}

fn is_ready(pod: &Object) -> bool {
    let conditions = cell::items(pod, &["status", "conditions"]);
    let mut ready = conditions.iter().filter(|each| each["type"] == "Ready");
    ready.any(|each| each["status"] == "True")
}

/// Whether the budget lets unhealthy pods go for nothing: always, or while enough others are healthy.
fn spares_unhealthy(budget: &Object) -> bool {
    let desired = count(budget, "desiredHealthy");
    budget.str(&["spec", "unhealthyPodEvictionPolicy"]) == Some("AlwaysAllow")
        || desired > 0 && count(budget, "currentHealthy") >= desired
}

fn check(budget: &Object) -> Result<(), ApiError> {
    let forbidden = |detail: &str| {
        Err(ApiError::Forbidden {
            resource: GroupResource::new("policy", "poddisruptionbudget"),
            name: budget.name().to_owned(),
            detail: detail.to_owned(),
        })
    };
    if count(budget, "observedGeneration") < budget.generation() {
        return Err(ApiError::DisruptionBudget {
            detail: format!(
                "The disruption budget {} is still being processed by the server.",
                budget.name()
            ),
            retry_after: PROCESSING,
        });
    }
    match count(budget, "disruptionsAllowed") {
        ..0 => forbidden("pdb disruptions allowed is negative"),
        _ if cell::count(budget, &["status", "disruptedPods"]) > DISRUPTED_MAX => forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        ),
        0 => Err(ApiError::DisruptionBudget {
            detail: exhausted(budget),
            retry_after: Duration::ZERO,
        }),
        _ => Ok(()),
    }
}

/// Why there is no disruption left. The numbers mean nothing where the controller couldn't find them out.
fn exhausted(budget: &Object) -> String {
    let name = budget.name();
    let conditions = cell::items(budget, &["status", "conditions"]);
    let allowed = conditions
        .iter()
        .find(|each| each["type"] == DISRUPTION_ALLOWED && each["status"] == "False");
    let text = |field: &str| allowed.and_then(|each| each[field].as_str());
    let reason = text("reason").unwrap_or_default();
    let message = text("message").filter(|message| !message.is_empty());
    let (current, desired) = (
        count(budget, "currentHealthy"),
        count(budget, "desiredHealthy"),
    );
    match message {
        Some(message) if reason == SYNC_FAILED => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {message}"
        ),
        _ if current <= desired => format!(
            "The disruption budget {name} needs {desired} healthy pods and has {current} currently"
        ),
        Some(message) => format!(
            "The disruption budget {name} does not allow evicting pods currently ({reason}): {message}"
        ),
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    }
}

/// Takes the disruption, and notes the pod, which the controller is not to count as healthy from now on.
fn take_one(budget: &mut Object, pod: &str, now: &str) {
    let left = count(budget, "disruptionsAllowed") - 1;
    budget.set(&["status", "disruptionsAllowed"], left.into());
    if left == 0 {
        let (status, reason) = verdict(left);
        let condition = json!({
            "type": DISRUPTION_ALLOWED,
            "status": status,
            "reason": reason,
            "message": "",
            "observedGeneration": count(budget, "observedGeneration"),
        });
        condition::set(budget, condition, now);
    }
    budget.set(&["status", "disruptedPods", pod], now.into());
}

fn count(budget: &Object, field: &str) -> i64 {
    cell::number(budget, &["status", field])
}

#[cfg(test)]
mod tests;
