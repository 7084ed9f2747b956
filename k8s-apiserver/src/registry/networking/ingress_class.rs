//! IngressClass.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `networking.k8s.io/v1` `IngressClass`.
pub(crate) struct IngressClass;

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text(
        "Controller",
        "Controller that serves ingresses of the class.",
    ),
    ColumnDefinition::text("Parameters", "Object with the controller's settings."),
    ColumnDefinition::AGE,
];

impl Strategy for IngressClass {
    fn kind(&self) -> KindRow {
        KindRow::new("networking.k8s.io", "v1", "IngressClass", "ingressclasses")
            .cluster_scoped()
            .with_generation()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["spec", "controller"]),
            parameters(object).into(),
            age_of(object, now).into(),
        ]
    }
}

fn parameters(class: &Object) -> String {
    let text = |field| class.str(&["spec", "parameters", field]);
    let (Some(kind), Some(name)) = (text("kind"), text("name")) else {
        return "<none>".to_owned();
    };
    match text("apiGroup") {
        Some(group) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_named_with_their_kind() {
        let class = |parameters: Value| {
            let spec = json!({"controller": "example.com/a", "parameters": parameters});
            Object::from_value(json!({"spec": spec})).expect("an object")
        };
        assert_eq!(parameters(&class(json!(null))), "<none>");
        let mut given = json!({"kind": "K", "name": "n"});
        assert_eq!(parameters(&class(given.clone())), "K/n");
        given["apiGroup"] = "example.com".into();
        assert_eq!(parameters(&class(given)), "K.example.com/n");
    }
}
