//! Deployment.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `apps/v1` `Deployment`.
pub(crate) struct Deployment;

static COLUMNS: [ColumnDefinition; 8] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Ready", "Ready pods, out of those desired."),
    ColumnDefinition::text("Up-to-date", "Pods made from the present template."),
    ColumnDefinition::text("Available", "Pods that have been ready long enough."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Containers", "Names of the template's containers.").wide(),
    ColumnDefinition::text("Images", "Images of the template's containers.").wide(),
    ColumnDefinition::text("Selector", "Labels of the pods that belong to it.").wide(),
];

impl Strategy for Deployment {
    fn kind(&self) -> KindRow {
        KindRow::new("apps", "v1", "Deployment", "deployments")
            .short_names(&["deploy"])
            .categories(&["all"])
            .with_generation()
            .subresource(SubresourceRow::scale())
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let status = |field| cell::number(object, &["status", field]);
        let desired = cell::number(object, &["spec", "replicas"]);
        vec![
            object.name().into(),
            format!("{}/{desired}", status("readyReplicas")).into(),
            status("updatedReplicas").into(),
            status("availableReplicas").into(),
            age_of(object, now).into(),
            cell::of_containers(object, "name"),
            cell::of_containers(object, "image"),
            cell::selector(object, &["spec", "selector"]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_ready_pods_out_of_those_desired() {
        let deployment = Object::from_value(json!({
            "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y"}]}},
            },
            "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
        }))
        .expect("an object");
        let now = "2026-01-01T00:05:12Z".parse().expect("a timestamp");
        assert_eq!(
            Value::from(Deployment.row(&deployment, now)),
            json!(["web", "2/3", 3, 1, "5m12s", "a,b", "x:1,y", "app=web"]),
        );
    }
}
