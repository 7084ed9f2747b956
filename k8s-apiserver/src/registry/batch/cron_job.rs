//! CronJob.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `batch/v1` `CronJob`.
pub(crate) struct CronJob;

static COLUMNS: [ColumnDefinition; 10] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Schedule", "When jobs are made."),
    ColumnDefinition::text("Timezone", "Where those times are meant."),
    ColumnDefinition::text("Suspend", "Whether no jobs are made for now."),
    ColumnDefinition::integer("Active", "Jobs that run."),
    ColumnDefinition::text("Last Schedule", "Time since the last job was made."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

impl Strategy for CronJob {
    fn kind(&self) -> KindRow {
        KindRow::new("batch", "v1", "CronJob", "cronjobs")
            .short_names(&["cj"])
            .categories(&["all"])
            .with_generation()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let suspend = match object.get(&["spec", "suspend"]).and_then(Value::as_bool) {
            Some(true) => "True",
            Some(false) => "False",
            None => "<unset>",
        };
        let last = match object.str(&["status", "lastScheduleTime"]) {
            Some(time) => age(Some(time), now),
            None => "<none>".to_owned(),
        };
        let containers = [
            "spec",
            "jobTemplate",
            "spec",
            "template",
            "spec",
            "containers",
        ];
        vec![
            object.name().into(),
            cell::text(object, &["spec", "schedule"]),
            cell::text_or_else(object, &["spec", "timeZone"], "<none>"),
            suspend.into(),
            cell::count(object, &["status", "active"]).into(),
            last.into(),
            age_of(object, now).into(),
            cell::texts(object, &containers, "name"),
            cell::texts(object, &containers, "image"),
            cell::selector(object, &["spec", "jobTemplate", "spec", "selector"]),
        ]
    }
}
