//! ControllerRevision.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `apps/v1` `ControllerRevision`.
pub(crate) struct ControllerRevision;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Controller", "What it is a past state of."),
    ColumnDefinition::integer("Revision", "Its number: greater is newer."),
    ColumnDefinition::AGE,
];

impl Strategy for ControllerRevision {
    fn kind(&self) -> KindRow {
        KindRow::new("apps", "v1", "ControllerRevision", "controllerrevisions")
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            controller(object).into(),
            cell::number(object, &["revision"]).into(),
            age_of(object, now).into(),
        ]
    }
}

/// The owner in charge, as `statefulset.apps/web`.
fn controller(object: &Object) -> String {
    let mut owners = object.owner_references().iter();
    let Some(owner) = owners.find(|owner| owner["controller"] == true) else {
        return "<none>".to_owned();
    };
    let text = |field: &str| owner[field].as_str().unwrap_or_default();
    let kind = match text("apiVersion").split_once('/') {
        Some((group, _)) => format!("{}.{group}", text("kind")),
        None => text("kind").to_owned(),
    };
    format!("{}/{}", kind.to_lowercase(), text("name"))
}
