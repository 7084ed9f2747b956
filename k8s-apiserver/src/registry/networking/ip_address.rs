//! IPAddress.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::{KindRow, Strategy};

/// Strategy of `networking.k8s.io/v1` `IPAddress`.
pub(crate) struct IPAddress;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("ParentRef", "Who has taken the address."),
    ColumnDefinition::AGE,
];

impl Strategy for IPAddress {
    fn kind(&self) -> KindRow {
        row()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            parent(object).into(),
            age_of(object, now).into(),
        ]
    }
}

/// The row; allocations ask it where addresses lie.
pub(in crate::registry) fn row() -> KindRow {
    KindRow::new("networking.k8s.io", "v1", "IPAddress", "ipaddresses")
        .cluster_scoped()
        .short_names(&["ip"])
}

/// `services/default/kubernetes`.
fn parent(address: &Object) -> String {
    if address.get(&["spec", "parentRef"]).is_none() {
        return "<none>".to_owned();
    }
    let text = |field| {
        let text = address.str(&["spec", "parentRef", field]);
        text.filter(|text| !text.is_empty())
    };
    let resource = text("resource").unwrap_or_default();
    let resource = match text("group") {
        Some(group) => format!("{resource}.{group}").to_lowercase(),
        None => resource.to_lowercase(),
    };
    let parts = [Some(resource.as_str()), text("namespace"), text("name")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_parent_is_named_in_full() {
        let of = |parent: Value| {
            let object = json!({"spec": {"parentRef": parent}});
            super::parent(&Object::from_value(object).expect("an object"))
        };
        let service = json!({"group": "", "resource": "services", "namespace": "a", "name": "b"});
        assert_eq!(of(service), "services/a/b");
        let gateway = json!({"group": "example.com", "resource": "gateways", "name": "b"});
        assert_eq!(of(gateway), "gateways.example.com/b");
    }
}
