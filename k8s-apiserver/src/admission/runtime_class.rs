//! What a pod's runtime class costs and where it runs, written into the pod (KEP-688, KEP-585).

use async_trait::async_trait;
use k8s_apimachinery::{Object, Quantity, Value};

use super::{Admission, Review};
use crate::{ApiError, registry::Effects};

/// Sets `spec.overhead` of new pods to that of their class and merges the class's node selector and tolerations in.
/// Refuses pods whose class is missing, and those that come with another overhead.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClass;

const DIFFERS: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

#[async_trait]
impl Admission for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.creates("", "pods") {
            return Ok(());
        }
        let Some(class) = class_of(review, pod)? else {
            return Ok(());
        };
        if let Some(overhead) = class.get(&OVERHEAD_OF_CLASS) {
            let path = ["spec", "overhead"];
            let own = pod.get(&path);
            if own.is_some_and(|own| !are_equal(own, overhead)) {
                return Err(review.forbidden(DIFFERS));
            }
            pod.set(&path, overhead.clone());
        }
        schedule(pod, &class).map_err(|conflict| review.forbidden(conflict))
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        if let Some(pod) = pod.filter(|_| review.creates("", "pods")) {
            let class = class_of(review, pod)?;
            let wanted = class
                .as_ref()
                .and_then(|class| class.get(&OVERHEAD_OF_CLASS));
            match (wanted, pod.get(&["spec", "overhead"])) {
                (None, Some(_)) => {
                    return Err(review.forbidden(
                        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
                    ));
                }
                (Some(wanted), own) if own.is_none_or(|own| !are_equal(own, wanted)) => {
                    return Err(review.forbidden(DIFFERS));
                }
                _ => {}
            }
        }
        Ok(Effects::default())
    }
}

const OVERHEAD_OF_CLASS: [&str; 2] = ["overhead", "podFixed"];

/// The class that a pod names; `None` if it names none.
fn class_of(review: &Review<'_>, pod: &Object) -> Result<Option<Object>, ApiError> {
    let Some(name) = pod.str(&["spec", "runtimeClassName"]) else {
        return Ok(None);
    };
    let class = review.view.get("node.k8s.io", "runtimeclasses", "", name);
    match class {
        Some(class) => Ok(Some(class)),
        None => Err(review.forbidden(format!("pod rejected: RuntimeClass {name:?} not found"))),
    }
}

/// Whether two lists of resources are of the same amounts, however these are written.
fn are_equal(a: &Value, b: &Value) -> bool {
    let amount = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.parse::<Quantity>().ok())
    };
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return a == b;
    };
    let mut names = a.iter();
    a.len() == b.len()
        && names.all(|(name, value)| b.get(name).is_some_and(|b| amount(b) == amount(value)))
}

/// Merges what the class says about nodes; a selector that contradicts the pod's is an error.
fn schedule(pod: &mut Object, class: &Object) -> Result<(), String> {
    let selector = class.get(&["scheduling", "nodeSelector"]);
    for (key, wanted) in selector.and_then(Value::as_object).into_iter().flatten() {
        let path = ["spec", "nodeSelector", key];
        if let Some(own) = pod.get(&path).filter(|own| *own != wanted) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {}; pod.spec.nodeSelector[{key}] = {}",
                text(wanted),
                text(own)
            ));
        }
        pod.set(&path, wanted.clone());
    }
    if let Some(Value::Array(of_class)) = class.get(&["scheduling", "tolerations"]) {
        let path = ["spec", "tolerations"];
        let own = pod.get(&path).and_then(Value::as_array);
        let own = own.map_or(&[][..], Vec::as_slice);
        let merged = merged(&[own, of_class].concat());
        pod.set(&path, Value::Array(merged));
    }
    Ok(())
}

/// Tolerations without those that another one covers; of equal ones the first stays.
fn merged(all: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for (index, toleration) in all.iter().enumerate() {
        let is_covered_before = merged.iter().any(|kept| covers(kept, toleration));
        let is_covered_later = all[index + 1..]
            .iter()
            .any(|later| later != toleration && covers(later, toleration));
        if !is_covered_before && !is_covered_later {
            merged.push(toleration.clone());
        }
    }
    merged
}

/// Whether the first toleration bears all taints that the second one bears, and for as long.
fn covers(wide: &Value, narrow: &Value) -> bool {
    fn text<'a>(toleration: &'a Value, field: &str) -> &'a str {
        toleration[field].as_str().unwrap_or_default()
    }
    let (operator, effect) = (text(wide, "operator"), text(wide, "effect"));
    let is_same = |field| text(wide, field) == text(narrow, field);
    let bears_all_keys = text(wide, "key").is_empty() && operator == "Exists";
    let seconds = |toleration: &Value| toleration["tolerationSeconds"].as_i64();
    let lasts = match (effect, seconds(wide), seconds(narrow)) {
        ("NoExecute", Some(wide), Some(narrow)) => narrow <= wide,
        ("NoExecute", Some(_), None) => false,
        _ => true,
    };
    let bears_value = match operator {
        "" | "Equal" => text(narrow, "operator") == "Equal" && is_same("value"),
        "Exists" => true,
        _ => false,
    };
    wide == narrow
        || (is_same("key") || bears_all_keys)
            && (is_same("effect") || effect.is_empty())
            && lasts
            && bears_value
}

#[cfg(test)]
mod tests;
