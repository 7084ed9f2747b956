//! HorizontalPodAutoscaler: served as `v2` and `v1`, stored as `v2`.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `autoscaling/v2` `HorizontalPodAutoscaler`.
pub(crate) struct HorizontalPodAutoscaler;

static COLUMNS: [ColumnDefinition; 7] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Reference", "What is scaled."),
    ColumnDefinition::text(
        "Targets",
        "What there is, and what is wanted, of each metric.",
    ),
    ColumnDefinition::text("MinPods", "The least number of pods."),
    ColumnDefinition::text("MaxPods", "The greatest number of pods."),
    ColumnDefinition::text("Replicas", "How many pods there are."),
    ColumnDefinition::AGE,
];

/// How many metrics a row shows.
const SHOWN: usize = 2;

impl Strategy for HorizontalPodAutoscaler {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "autoscaling",
            "v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
        )
        .also_served_as("v1")
        .short_names(&["hpa"])
        .categories(&["all"])
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"desiredReplicas": 0}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let target = |field| {
            object
                .str(&["spec", "scaleTargetRef", field])
                .unwrap_or_default()
        };
        let least = object.get(&["spec", "minReplicas"]).and_then(Value::as_i64);
        vec![
            object.name().into(),
            format!("{}/{}", target("kind"), target("name")).into(),
            targets(object).into(),
            least
                .map_or("<unset>".to_owned(), |least| least.to_string())
                .into(),
            cell::number(object, &["spec", "maxReplicas"]).into(),
            cell::number(object, &["status", "currentReplicas"]).into(),
            age_of(object, now).into(),
        ]
    }
}

/// The metrics, as `cpu: 40%/50%, 5/10 (avg)`.
fn targets(hpa: &Object) -> String {
    let metrics = cell::items(hpa, &["spec", "metrics"]);
    let current = cell::items(hpa, &["status", "currentMetrics"]);
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let shown = metrics.iter().enumerate().take(SHOWN);
    let shown: Vec<_> = shown
        .map(|(i, metric)| target(metric, current.get(i)))
        .collect();
    match metrics.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} + {more} more...", shown.join(", ")),
    }
}

fn target(metric: &Value, current: Option<&Value>) -> String {
    let (sort, field) = match metric["type"].as_str().unwrap_or_default() {
        "External" => ("external", None),
        "Pods" => ("pods", None),
        "Object" => ("object", None),
        "Resource" => ("resource", Some("name")),
        "ContainerResource" => ("containerResource", Some("name")),
        _ => return "<unknown type>".to_owned(),
    };
    let source = &metric[sort];
    let now = current.map(|current| &current[sort]["current"]);
    let amount = |field: &str| {
        let wanted = text(&source["target"][field]);
        let found = now.and_then(|now| text(&now[field]));
        (found.unwrap_or_else(|| "<unknown>".to_owned()), wanted)
    };
    let pair = match (amount("averageValue"), amount("value")) {
        ((found, Some(wanted)), _) if matches!(sort, "external" | "object") => {
            format!("{found}/{wanted} (avg)")
        }
        ((found, Some(wanted)), _) => format!("{found}/{wanted}"),
        (_, (found, Some(wanted))) => format!("{found}/{wanted}"),
        _ => {
            let (found, wanted) = amount("averageUtilization");
            let found = if found.starts_with('<') {
                found
            } else {
                format!("{found}%")
            };
            format!(
                "{found}/{}",
                wanted.map_or("<auto>".to_owned(), |wanted| format!("{wanted}%"))
            )
        }
    };
    match field.and_then(|field| source[field].as_str()) {
        Some(name) => format!("{name}: {pair}"),
        None => pair,
    }
}

fn text(amount: &Value) -> Option<String> {
    match amount {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_what_there_is_and_what_is_wanted() {
        let metric = |name: &str, percent: i64| {
            let target = json!({"type": "Utilization", "averageUtilization": percent});
            json!({"type": "Resource", "resource": {"name": name, "target": target}})
        };
        let current = json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 40}}});
        let hpa = Object::from_value(json!({
            "metadata": {"name": "h"},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 5,
                "metrics": [metric("cpu", 50), metric("memory", 60), metric("x", 1)],
            },
            "status": {"currentReplicas": 2, "currentMetrics": [current]},
        }))
        .expect("an object");
        assert_eq!(
            Value::from(HorizontalPodAutoscaler.row(&hpa, Timestamp::UNIX_EPOCH)),
            json!([
                "h",
                "Deployment/web",
                "cpu: 40%/50%, memory: <unknown>/60% + 1 more...",
                "1",
                5,
                2,
                "<unknown>"
            ]),
        );
    }
}
