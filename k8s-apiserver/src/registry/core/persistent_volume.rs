//! PersistentVolume.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};
use serde_json::json;

use crate::registry::{
    KindRow, Strategy, SubresourceRow, WriteContext, cell, keep, keep_all_but_status, rfc3339,
};

/// Strategy of `v1` `PersistentVolume`.
pub(crate) struct PersistentVolume;

static COLUMNS: [ColumnDefinition; 11] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Capacity", "How much fits in."),
    ColumnDefinition::text("Access Modes", "How it can be mounted."),
    ColumnDefinition::text("Reclaim Policy", "What becomes of it when its claim goes."),
    ColumnDefinition::text("Status", "Whether it is free, claimed, or released."),
    ColumnDefinition::text("Claim", "The claim that it is bound to."),
    ColumnDefinition::text("StorageClass", "The class that it belongs to."),
    ColumnDefinition::text(
        "VolumeAttributesClass",
        "The class of its changeable properties.",
    ),
    ColumnDefinition::text("Reason", "Why it failed."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("VolumeMode", "Whether it is a file system or a device.").wide(),
];

impl Strategy for PersistentVolume {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "PersistentVolume", "persistentvolumes")
            .short_names(&["pv"])
            .cluster_scoped()
            .returns_deleted()
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        let now = rfc3339(ctx.now);
        object.set(
            &["status"],
            json!({"phase": "Pending", "lastPhaseTransitionTime": now}),
        );
    }

    /// A new phase comes with the time at which it began.
    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        if ctx.subresource != "status" {
            keep(new, old, &["status"]);
            return;
        }
        keep_all_but_status(new, old);
        let since = ["status", "lastPhaseTransitionTime"];
        let phase = ["status", "phase"];
        if new.str(&phase) != old.str(&phase) && new.get(&since) == old.get(&since) {
            new.set(&since, rfc3339(ctx.now).into());
        }
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let claim = ["namespace", "name"].map(|part| object.str(&["spec", "claimRef", part]));
        let claim = match claim {
            [_, None] => String::new(),
            [namespace, Some(name)] => format!("{}/{name}", namespace.unwrap_or_default()),
        };
        vec![
            object.name().into(),
            cell::text(object, &["spec", "capacity", "storage"]),
            access_modes(cell::items(object, &["spec", "accessModes"])).into(),
            cell::text(object, &["spec", "persistentVolumeReclaimPolicy"]),
            phase(object),
            claim.into(),
            class(object),
            cell::text_or_else(object, &["spec", "volumeAttributesClassName"], "<unset>"),
            cell::text(object, &["status", "reason"]),
            age_of(object, now).into(),
            cell::text_or_else(object, &["spec", "volumeMode"], "<unset>"),
        ]
    }
}

/// The phase, unless it is on its way out.
pub(super) fn phase(object: &Object) -> Value {
    match object.deletion_timestamp() {
        Some(_) => "Terminating".into(),
        None => cell::text(object, &["status", "phase"]),
    }
}

/// The class, which an annotation once named.
pub(super) fn class(object: &Object) -> Value {
    match object.annotation("volume.beta.kubernetes.io/storage-class") {
        Some(class) => class.into(),
        None => cell::text(object, &["spec", "storageClassName"]),
    }
}

/// Access modes in short, each once, in one order.
pub(super) fn access_modes(modes: &[Value]) -> String {
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let given = short
        .iter()
        .filter(|(mode, _)| modes.iter().any(|given| given == mode));
    given.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_volume_shows_its_claim_and_its_modes_in_short() {
        let volume = Object::from_value(json!({
            "metadata": {"name": "v"},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast", "volumeMode": "Filesystem",
                "claimRef": {"namespace": "n", "name": "c"},
            },
            "status": {"phase": "Bound"},
        }))
        .expect("an object");
        assert_eq!(
            Value::from(PersistentVolume.row(&volume, Timestamp::UNIX_EPOCH)),
            json!([
                "v",
                "1Gi",
                "RWO,ROX",
                "Retain",
                "Bound",
                "n/c",
                "fast",
                "<unset>",
                "",
                "<unknown>",
                "Filesystem"
            ]),
        );
    }
}
