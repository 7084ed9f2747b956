//! APIService.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell, rfc3339};

/// Strategy of `apiregistration.k8s.io/v1` `APIService`.
pub(crate) struct APIService;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Service", "Service that answers; Local is this server."),
    ColumnDefinition::text("Available", "Whether it answers."),
    ColumnDefinition::AGE,
];

impl Strategy for APIService {
    fn kind(&self) -> KindRow {
        KindRow::new("apiregistration.k8s.io", "v1", "APIService", "apiservices")
            .cluster_scoped()
            .categories(&["api-extensions"])
            .storage_prefix("apiregistration.k8s.io/apiservices")
            .conditional_update_only()
            .subresource(SubresourceRow::status())
    }

    /// What this server answers itself is available at once.
    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        let status = match object.get(&["spec", "service"]) {
            Some(_) => json!({}),
            None => json!({"conditions": [{
                "type": "Available",
                "status": "True",
                "lastTransitionTime": rfc3339(ctx.now),
                "reason": "Local",
                "message": "Local APIServices are always available",
            }]}),
        };
        object.set(&["status"], status);
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let service = match object.get(&["spec", "service"]) {
            None => "Local".to_owned(),
            Some(_) => {
                let text = |field| object.str(&["spec", "service", field]).unwrap_or_default();
                format!("{}/{}", text("namespace"), text("name"))
            }
        };
        vec![
            object.name().into(),
            service.into(),
            available(object).into(),
            age_of(object, now).into(),
        ]
    }
}

fn available(service: &Object) -> String {
    let conditions = cell::items(service, &["status", "conditions"]);
    let condition = conditions.iter().find(|each| each["type"] == "Available");
    let Some(condition) = condition else {
        return "Unknown".to_owned();
    };
    let text = |field| condition[field].as_str().unwrap_or_default();
    match (text("status"), text("reason")) {
        (status, reason) if status != "True" && !reason.is_empty() => {
            format!("{status} ({reason})")
        }
        (status, _) => status.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_behind_the_state() {
        let with = |status: &str, reason: &str| {
            let condition = json!({"type": "Available", "status": status, "reason": reason});
            let object = json!({"status": {"conditions": [condition]}});
            available(&Object::from_value(object).expect("an object"))
        };
        assert_eq!(with("True", "Local"), "True");
        assert_eq!(
            with("False", "MissingEndpoints"),
            "False (MissingEndpoints)"
        );
        assert_eq!(available(&Object::default()), "Unknown");
    }
}
