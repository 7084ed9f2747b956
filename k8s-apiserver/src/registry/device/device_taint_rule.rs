//! DeviceTaintRule.

use k8s_apimachinery::{Object, Value};
use serde_json::json;

use super::date_taint;
use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, keep, keep_all_but_status};

/// Strategy of `resource.k8s.io/v1` `DeviceTaintRule`.
pub(crate) struct DeviceTaintRule;

impl Strategy for DeviceTaintRule {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "resource.k8s.io",
            "v1",
            "DeviceTaintRule",
            "devicetaintrules",
        )
        .cluster_scoped()
        .with_generation()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
        date(object, ctx);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        if ctx.subresource == "status" {
            return keep_all_but_status(new, old);
        }
        keep(new, old, &["status"]);
        date(new, ctx);
    }
}

fn date(rule: &mut Object, ctx: &WriteContext<'_>) {
    let path = ["spec", "taint"];
    let mut taint = rule.get(&path).cloned().unwrap_or(Value::Null);
    date_taint(&mut taint, ctx);
    if taint.is_object() {
        rule.set(&path, taint);
    }
}
