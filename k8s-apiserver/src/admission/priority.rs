//! Every pod has a priority.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Review};
use crate::ApiError;

/// The classes that are always there, with their values.
const SYSTEM_CLASSES: [(&str, i64); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Resolves `spec.priorityClassName` to `spec.priority` and `spec.preemptionPolicy`; without a class both take the
/// values of the global default class, or of none: 0 and `PreemptLowerPriority`.
#[derive(Debug, Clone, Copy)]
pub struct Priority;

#[async_trait]
impl Admission for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.creates("", "pods") {
            return Ok(());
        }
        let class = pod
            .str(&["spec", "priorityClassName"])
            .unwrap_or_default()
            .to_owned();
        let (priority, policy) = match class.as_str() {
            "" => default_class(review, pod),
            class => named_class(review, class)?,
        };
        let given = pod.get(&["spec", "priority"]).and_then(Value::as_i64);
        if given.is_some_and(|given| given != priority) {
            return Err(review.forbidden(format!(
                "the integer value of priority ({}) must not be provided in pod spec; priority admission controller \
                 computed {priority} from the given PriorityClass name",
                given.unwrap_or_default()
            )));
        }
        pod.set(&["spec", "priority"], priority.into());
        if pod.get(&["spec", "preemptionPolicy"]).is_none() {
            pod.set(&["spec", "preemptionPolicy"], policy.into());
        }
        Ok(())
    }
}

fn named_class(review: &Review<'_>, name: &str) -> Result<(i64, String), ApiError> {
    if let Some(class) = review
        .view
        .get("scheduling.k8s.io", "priorityclasses", "", name)
    {
        return Ok(values(&class));
    }
    SYSTEM_CLASSES
        .iter()
        .find(|(class, _)| *class == name)
        .map(|(_, priority)| (*priority, policy()))
        .ok_or_else(|| review.forbidden(format!("no PriorityClass with name {name} was found")))
}

/// The class marked as global default, if there is one; among several the lowest wins.
fn default_class(review: &Review<'_>, pod: &mut Object) -> (i64, String) {
    let classes = review.view.list("scheduling.k8s.io", "priorityclasses", "");
    let class = classes
        .iter()
        .map(|class| class.entry.object())
        .filter(|class| class.get(&["globalDefault"]) == Some(&Value::Bool(true)))
        .min_by_key(|class| values(class).0);
    match class {
        Some(class) => {
            pod.set(&["spec", "priorityClassName"], class.name().into());
            values(&class)
        }
        None => (0, policy()),
    }
}

fn values(class: &Object) -> (i64, String) {
    let priority = class.get(&["value"]).and_then(Value::as_i64).unwrap_or(0);
    let policy = class
        .str(&["preemptionPolicy"])
        .map_or_else(policy, str::to_owned);
    (priority, policy)
}

fn policy() -> String {
    "PreemptLowerPriority".to_owned()
}
