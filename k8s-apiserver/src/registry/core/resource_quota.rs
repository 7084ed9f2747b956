//! ResourceQuota: its status is counted by a controller, and charged by admission with each write.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    quota::Quota,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext};

/// Strategy of `v1` `ResourceQuota`.
pub(crate) struct ResourceQuota;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Request", "Used of what is counted or requested."),
    ColumnDefinition::text("Limit", "Used of what is limited."),
    ColumnDefinition::AGE,
];

impl Strategy for ResourceQuota {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "ResourceQuota", "resourcequotas")
            .short_names(&["quota"])
            .returns_deleted()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let quota = Quota::read(object);
        let of = |is_wanted: fn(&str) -> bool| {
            let hard = quota.hard.iter().filter(|(name, _)| is_wanted(name));
            let cells = hard.map(|(name, hard)| {
                let used = quota.used.get(name).unwrap_or_default();
                format!("{name}: {used}/{hard}")
            });
            Value::from(cells.collect::<Vec<_>>().join(", "))
        };
        vec![
            object.name().into(),
            of(|name| !name.starts_with("limits.")),
            of(|name| name.starts_with("limits.")),
            age_of(object, now).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_a_column_of_their_own() {
        let quota = Object::from_value(json!({
            "metadata": {"name": "q"},
            "status": {
                "hard": {"limits.cpu": "2", "pods": "4", "requests.memory": "1Gi"},
                "used": {"limits.cpu": "500m", "requests.memory": "512Mi"},
            },
        }));
        let cells = ResourceQuota.row(&quota.expect("an object"), Timestamp::UNIX_EPOCH);
        assert_eq!(
            cells[..3],
            [
                json!("q"),
                json!("pods: 0/4, requests.memory: 512Mi/1Gi"),
                json!("limits.cpu: 500m/2"),
            ]
        );
    }
}
