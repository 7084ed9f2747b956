//! ResourceSlice.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use super::date_taint;
use crate::registry::{KindRow, Strategy, WriteContext, cell};

/// Strategy of `resource.k8s.io/v1` `ResourceSlice`.
pub(crate) struct ResourceSlice;

static COLUMNS: [ColumnDefinition; 5] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Node", "Node that has the devices."),
    ColumnDefinition::text("Driver", "Driver of the devices."),
    ColumnDefinition::text("Pool", "Pool that the devices belong to."),
    ColumnDefinition::AGE,
];

impl Strategy for ResourceSlice {
    fn kind(&self) -> KindRow {
        KindRow::new("resource.k8s.io", "v1", "ResourceSlice", "resourceslices")
            .cluster_scoped()
            .with_generation()
    }

    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        date(object, ctx);
    }

    fn prepare_update(&self, new: &mut Object, _old: &Object, ctx: &WriteContext<'_>) {
        date(new, ctx);
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.nodeName", "spec.driver"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![
            object.name().into(),
            cell::text(object, &["spec", "nodeName"]),
            cell::text(object, &["spec", "driver"]),
            cell::text(object, &["spec", "pool", "name"]),
            age_of(object, now).into(),
        ]
    }
}

fn date(slice: &mut Object, ctx: &WriteContext<'_>) {
    let path = ["spec", "devices"];
    let mut devices = cell::items(slice, &path).to_vec();
    let taints = devices
        .iter_mut()
        .filter_map(|device| device.get_mut("taints")?.as_array_mut())
        .flatten();
    let mut is_dated = false;
    for taint in taints {
        date_taint(taint, ctx);
        is_dated = true;
    }
    if is_dated {
        slice.set(&path, devices.into());
    }
}
