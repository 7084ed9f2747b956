//! ServiceCIDR.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `networking.k8s.io/v1` `ServiceCIDR`.
pub(crate) struct ServiceCIDR;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("CIDRs", "Networks that services get their addresses from."),
    ColumnDefinition::AGE,
];

impl Strategy for ServiceCIDR {
    fn kind(&self) -> KindRow {
        KindRow::new("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs")
            .cluster_scoped()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let cidrs = cell::items(object, &["spec", "cidrs"]).iter();
        let cidrs: Vec<_> = cidrs.filter_map(Value::as_str).collect();
        vec![
            object.name().into(),
            cidrs.join(",").into(),
            age_of(object, now).into(),
        ]
    }
}
