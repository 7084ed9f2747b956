//! HorizontalPodAutoscalers of `v1`, which has a target for the CPU alone, and of `v2`.
//!
//! What `v1` has no field for travels in annotations, as in Kubernetes, so that nothing is lost there and back.

use serde_json::{Map, Value, json};

use crate::api::Edit;
use crate::object::Object;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CPU_TARGET: [&str; 2] = ["spec", "targetCPUUtilizationPercentage"];
const CPU_CURRENT: [&str; 2] = ["status", "currentCPUUtilizationPercentage"];

/// Whether a metric says what is wanted, or what there is.
#[derive(Clone, Copy)]
enum Side {
    Target,
    Current,
}

pub(in crate::api) fn to_v2(hpa: &mut Object) {
    let cpu = |side: Side, percent: Value| {
        let mut amount = json!({"averageUtilization": percent});
        if let Side::Target = side {
            amount["type"] = "Utilization".into();
        }
        json!({"type": "Resource", "resource": {"name": "cpu", side.field(): amount}})
    };
    let mut metrics = take_list(hpa, METRICS, Side::Target);
    if let Some(percent) = hpa.remove(&CPU_TARGET) {
        metrics.push(cpu(Side::Target, percent));
    }
    put(hpa, &["spec", "metrics"], metrics);
    let mut current = take_list(hpa, CURRENT, Side::Current);
    if let Some(percent) = hpa.remove(&CPU_CURRENT)
        && current.is_empty()
    {
        current.push(cpu(Side::Current, percent));
    }
    put(hpa, &["status", "currentMetrics"], current);
    if let Some(conditions) = take(hpa, CONDITIONS) {
        hpa.set(&["status", "conditions"], conditions);
    }
    if let Some(behavior) = take(hpa, BEHAVIOR) {
        hpa.set(
            &["spec", "behavior"],
            recased(behavior, char::to_ascii_lowercase),
        );
    }
    if hpa.get(&["metadata", "annotations"]) == Some(&json!({})) {
        hpa.remove(&["metadata", "annotations"]);
    }
}

pub(in crate::api) fn to_v1(hpa: &mut Object) {
    let is_cpu =
        |metric: &&Value| metric["resource"]["name"] == "cpu" && metric["type"] == "Resource";
    let percent = |metric: &Value, side: Side| {
        metric["resource"][side.field()]
            .get("averageUtilization")
            .cloned()
    };
    let metrics = take_array(hpa, &["spec", "metrics"]);
    let mut targets = metrics
        .iter()
        .filter(is_cpu)
        .filter_map(|metric| percent(metric, Side::Target));
    if let Some(percent) = targets.next() {
        hpa.set(&CPU_TARGET, percent);
    }
    let others = metrics
        .iter()
        .filter(|metric| !is_cpu(metric) || percent(metric, Side::Target).is_none());
    let others: Vec<_> = others.map(|metric| flat(metric, Side::Target)).collect();
    annotate(hpa, METRICS, others.into());

    let current = take_array(hpa, &["status", "currentMetrics"]);
    let mut found = current
        .iter()
        .filter(is_cpu)
        .filter_map(|metric| percent(metric, Side::Current));
    if let Some(percent) = found.next() {
        hpa.set(&CPU_CURRENT, percent);
    }
    let current: Vec<_> = current
        .iter()
        .map(|metric| flat(metric, Side::Current))
        .collect();
    annotate(hpa, CURRENT, current.into());
    let conditions = take_array(hpa, &["status", "conditions"]);
    annotate(hpa, CONDITIONS, conditions.into());
    if let Some(behavior) = hpa.remove(&["spec", "behavior"]) {
        annotate(hpa, BEHAVIOR, recased(behavior, char::to_ascii_uppercase));
    }
}

impl Side {
    /// The field of a `v2` metric that holds the amount.
    fn field(self) -> &'static str {
        match self {
            Side::Target => "target",
            Side::Current => "current",
        }
    }
}

/// Fields of a metric's description in `v1`'s annotations, and where `v2` has them.
fn places(sort: &str, side: Side) -> Vec<(String, [&'static str; 2])> {
    let amount = side.field();
    let own = |name: &'static str| (name.to_owned(), [name, ""]);
    let of_metric = |flat: &str, name| (flat.to_owned(), ["metric", name]);
    let amount_of = |flat: &str, name| (format!("{amount}{flat}"), [amount, name]);
    match sort {
        "resource" | "containerResource" => vec![
            own("name"),
            own("container"),
            amount_of("AverageUtilization", "averageUtilization"),
            amount_of("AverageValue", "averageValue"),
        ],
        "pods" => vec![
            of_metric("metricName", "name"),
            of_metric("selector", "selector"),
            amount_of("AverageValue", "averageValue"),
        ],
        "object" => vec![
            ("target".to_owned(), ["describedObject", ""]),
            of_metric("metricName", "name"),
            of_metric("selector", "selector"),
            amount_of("Value", "value"),
            ("averageValue".to_owned(), [amount, "averageValue"]),
        ],
        _ => vec![
            of_metric("metricName", "name"),
            of_metric("metricSelector", "selector"),
            amount_of("Value", "value"),
            amount_of("AverageValue", "averageValue"),
        ],
    }
}

/// The field that describes a metric, by its type: `containerResource`.
fn sort_of(metric: &Value) -> String {
    let type_ = metric["type"].as_str().unwrap_or_default();
    let mut letters = type_.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// A metric as `v1`'s annotations have it.
fn flat(metric: &Value, side: Side) -> Value {
    let sort = sort_of(metric);
    let source = &metric[&sort];
    let mut flat = Map::new();
    for (name, [outer, inner]) in places(&sort, side) {
        let value = if inner.is_empty() {
            source.get(outer)
        } else {
            source[outer].get(inner)
        };
        if let Some(value) = value {
            flat.insert(name, value.clone());
        }
    }
    json!({"type": metric["type"], sort: flat})
}

/// The reverse of [`flat`].
fn nested(metric: &Value, side: Side) -> Value {
    let sort = sort_of(metric);
    let flat = &metric[&sort];
    let mut source = Object::default();
    for (name, [outer, inner]) in places(&sort, side) {
        let Some(value) = flat.get(&name) else {
            continue;
        };
        match inner {
            "" => source.set(&[outer], value.clone()),
            inner => source.set(&[outer, inner], value.clone()),
        }
    }
    if let Side::Target = side {
        let has = |name| source.get(&["target", name]).is_some();
        let type_ = match () {
            () if has("averageUtilization") => "Utilization",
            () if has("averageValue") => "AverageValue",
            () => "Value",
        };
        source.set(&["target", "type"], type_.into());
    }
    json!({"type": metric["type"], sort: source.into_value()})
}

fn take_list(hpa: &mut Object, annotation: &str, side: Side) -> Vec<Value> {
    let list = take(hpa, annotation);
    let list = list.as_ref().and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|metric| nested(metric, side))
        .collect()
}

fn take(hpa: &mut Object, annotation: &str) -> Option<Value> {
    let parsed = serde_json::from_str(hpa.annotation(annotation)?).ok();
    hpa.remove(&["metadata", "annotations", annotation]);
    parsed
}

fn take_array(hpa: &mut Object, path: &[&str]) -> Vec<Value> {
    match hpa.remove(path) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn put(hpa: &mut Object, path: &[&str], list: Vec<Value>) {
    if !list.is_empty() {
        hpa.set(path, list.into());
    }
}

fn annotate(hpa: &mut Object, annotation: &str, value: Value) {
    if value.as_array().is_none_or(|list| !list.is_empty()) {
        let annotations = hpa.metadata_mut().ensure("annotations");
        annotations.insert(annotation.to_owned(), value.to_string().into());
    }
}

/// The behaviour with the first letters of its fields in the other case: Kubernetes writes it that way.
fn recased(value: Value, first: fn(&char) -> char) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.into_iter().map(|(name, value)| {
                let mut letters = name.chars();
                let head = letters.next().map(|letter| first(&letter));
                (
                    head.into_iter().chain(letters).collect(),
                    recased(value, first),
                )
            });
            Value::Object(fields.collect())
        }
        Value::Array(list) => list.into_iter().map(|item| recased(item, first)).collect(),
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests;
