//! Every pod has a priority, and at most one class is for those that name none.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Operation, Review};
use crate::{
    ApiError,
    registry::{Effects, keep},
};

const GROUP: &str = "scheduling.k8s.io";
const CLASSES: &str = "priorityclasses";
const PREEMPT: &str = "PreemptLowerPriority";

/// Resolves `spec.priorityClassName` to `spec.priority` and `spec.preemptionPolicy`; without a class both take the
/// values of the global default class, or of none: 0 and `PreemptLowerPriority`. Refuses a second global default.
#[derive(Debug, Clone, Copy)]
pub struct Priority;

#[async_trait]
impl Admission for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.is("", "pods") {
            return Ok(());
        }
        match review.old {
            None => resolve(review, pod),
            Some(old) => {
                // Whoever replaces a pod need not know what was computed.
                for field in ["priority", "preemptionPolicy"] {
                    let path = ["spec", field];
                    if pod.get(&path).is_none() {
                        keep(pod, old, &path);
                    }
                }
                Ok(())
            }
        }
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        class: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_written = matches!(review.operation, Operation::Create | Operation::Update);
        let is_default = class.is_some_and(is_global_default);
        if is_written && is_default && review.is(GROUP, CLASSES) {
            let other = default_class(review).filter(|other| other.name() != review.name);
            if let Some(other) = other {
                return Err(review.forbidden(format!(
                    "PriorityClass {} is already marked as default. Only one default can exist",
                    other.name()
                )));
            }
        }
        Ok(Effects::default())
    }
}

fn resolve(review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
    let name = pod.str(&["spec", "priorityClassName"]).unwrap_or_default();
    let class = match name {
        "" => default_class(review),
        name => Some(named_class(review, name)?),
    };
    let (priority, policy) = class.as_ref().map_or((0, PREEMPT), values);
    if let Some(class) = &class {
        pod.set(&["spec", "priorityClassName"], class.name().into());
    }
    let given = pod.get(&["spec", "priority"]).and_then(Value::as_i64);
    if let Some(given) = given.filter(|given| *given != priority) {
        return Err(review.forbidden(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {priority} from the given PriorityClass name"
        )));
    }
    let given = pod.str(&["spec", "preemptionPolicy"]);
    if let Some(given) = given.filter(|given| *given != policy) {
        return Err(review.forbidden(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        )));
    }
    pod.set(&["spec", "priority"], priority.into());
    pod.set(&["spec", "preemptionPolicy"], policy.into());
    Ok(())
}

fn named_class(review: &Review<'_>, name: &str) -> Result<Object, ApiError> {
    let class = review.view.get(GROUP, CLASSES, "", name);
    class.ok_or_else(|| review.forbidden(format!("no PriorityClass with name {name} was found")))
}

/// The class marked as global default, if there is one; among several the lowest wins.
fn default_class(review: &Review<'_>) -> Option<Object> {
    let classes = review.view.list(GROUP, CLASSES, "");
    let classes = classes.iter().map(|class| class.entry.object());
    classes
        .filter(is_global_default)
        .min_by_key(|class| values(class).0)
}

fn is_global_default(class: &Object) -> bool {
    class.get(&["globalDefault"]) == Some(&Value::Bool(true))
}

fn values(class: &Object) -> (i64, &str) {
    let priority = class.get(&["value"]).and_then(Value::as_i64).unwrap_or(0);
    (
        priority,
        class.str(&["preemptionPolicy"]).unwrap_or(PREEMPT),
    )
}
