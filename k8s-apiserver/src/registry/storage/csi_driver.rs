//! CSIDriver.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of, text_or},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `storage.k8s.io/v1` `CSIDriver`.
pub(crate) struct CsiDriver;

static COLUMNS: [ColumnDefinition; 8] = [
    ColumnDefinition::NAME,
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text(
            "AttachRequired",
            "Whether volumes are attached before they are mounted.",
        )
    },
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text(
            "PodInfoOnMount",
            "Whether the driver is told about the pod.",
        )
    },
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text(
            "StorageCapacity",
            "Whether the driver publishes how much it has left.",
        )
    },
    ColumnDefinition::text(
        "TokenRequests",
        "Audiences of the tokens that the driver gets.",
    ),
    ColumnDefinition {
        type_: "boolean",
        ..ColumnDefinition::text(
            "RequiresRepublish",
            "Whether the driver is called again from time to time.",
        )
    },
    ColumnDefinition::text("Modes", "What sorts of volumes the driver knows."),
    ColumnDefinition::AGE,
];

impl Strategy for CsiDriver {
    fn kind(&self) -> KindRow {
        KindRow::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers")
            .cluster_scoped()
            .conditional_update_only()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let flag = |field, absent| {
            let flag = object.get(&["spec", field]).and_then(Value::as_bool);
            Value::from(flag.unwrap_or(absent))
        };
        let texts = |values: &[Value], field: Option<&str>| {
            let text = |value: &Value| {
                field
                    .map_or(value, |field| &value[field])
                    .as_str()
                    .map(str::to_owned)
            };
            values.iter().filter_map(text).collect::<Vec<_>>().join(",")
        };
        let tokens = match object.get(&["spec", "tokenRequests"]) {
            Some(_) => texts(
                cell::items(object, &["spec", "tokenRequests"]),
                Some("audience"),
            ),
            None => "<unset>".to_owned(),
        };
        let modes = texts(cell::items(object, &["spec", "volumeLifecycleModes"]), None);
        vec![
            object.name().into(),
            flag("attachRequired", true),
            flag("podInfoOnMount", false),
            flag("storageCapacity", false),
            tokens.into(),
            flag("requiresRepublish", false),
            text_or(Some(&modes), "<none>").into(),
            age_of(object, now).into(),
        ]
    }
}
