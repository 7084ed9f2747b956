//! ResourceClaim.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use super::admin_access;
use crate::{
    ApiError,
    registry::{Change, Effects, KindRow, Strategy, SubresourceRow, View, WriteContext, cell},
};

/// Strategy of `resource.k8s.io/v1` `ResourceClaim`.
pub(crate) struct ResourceClaim;

static COLUMNS: [ColumnDefinition; 3] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text(
        "State",
        "Whether it has devices, and whether pods use them.",
    ),
    ColumnDefinition::AGE,
];

impl Strategy for ResourceClaim {
    fn kind(&self) -> KindRow {
        KindRow::new("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn effects(&self, change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
        admin_access::check(change, view, "ResourceClaim", &["spec"])
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            state(object).into(),
            age_of(object, now).into(),
        ]
    }
}

fn state(claim: &Object) -> String {
    let is_going = claim.deletion_timestamp().is_some();
    let is_allocated = claim.get(&["status", "allocation"]).is_some();
    let is_reserved = cell::count(claim, &["status", "reservedFor"]) > 0;
    let states = [
        ("deleted", is_going),
        ("pending", !is_allocated && !is_going),
        ("allocated", is_allocated),
        ("reserved", is_allocated && is_reserved),
    ];
    let states = states.iter().filter(|(_, holds)| *holds);
    states
        .map(|(state, _)| *state)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_tells_who_has_what() {
        let of = |value: Value| state(&Object::from_value(value).expect("an object"));
        let deleted = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        let reserved = json!({"allocation": {}, "reservedFor": [{}]});
        assert_eq!(of(json!({})), "pending");
        assert_eq!(of(json!({"status": reserved})), "allocated,reserved");
        assert_eq!(of(json!({"metadata": deleted})), "deleted");
        assert_eq!(
            of(json!({"metadata": deleted, "status": {"allocation": {}}})),
            "deleted,allocated"
        );
    }
}
