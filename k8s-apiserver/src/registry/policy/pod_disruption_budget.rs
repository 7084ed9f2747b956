//! PodDisruptionBudget.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `policy/v1` `PodDisruptionBudget`.
pub(crate) struct PodDisruptionBudget;

static COLUMNS: [ColumnDefinition; 5] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Min Available", "Pods that must stay available."),
    ColumnDefinition::text("Max Unavailable", "Pods that may be unavailable."),
    ColumnDefinition::integer("Allowed Disruptions", "Pods that may be evicted now."),
    ColumnDefinition::AGE,
];

impl Strategy for PodDisruptionBudget {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
        )
        .short_names(&["pdb"])
        .with_generation()
        .conditional_update_only()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        let status = json!({
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        });
        object.set(&["status"], status);
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            bound(object, "minAvailable"),
            bound(object, "maxUnavailable"),
            cell::number(object, &["status", "disruptionsAllowed"]).into(),
            age_of(object, now).into(),
        ]
    }
}

/// A number or a percentage, as text.
fn bound(object: &Object, field: &str) -> Value {
    match object.get(&["spec", field]) {
        None | Some(Value::Null) => "N/A".into(),
        Some(Value::String(percentage)) => percentage.as_str().into(),
        Some(number) => number.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_show_as_given_or_as_not_applicable() {
        let budget = json!({
            "metadata": { "name": "b" },
            "spec": { "maxUnavailable": "25%" },
            "status": { "disruptionsAllowed": 2 },
        });
        let budget = Object::from_value(budget).unwrap();
        let row = PodDisruptionBudget.row(&budget, Timestamp::UNIX_EPOCH);
        assert_eq!(row[..4], [json!("b"), json!("N/A"), json!("25%"), json!(2)]);
    }
}
