//! Pod: deleted gracefully, its status set by its node, its ephemeral containers by a subresource.

mod row;

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, api::core::label_keys, pod::qos, table::ColumnDefinition};
use serde_json::json;

use crate::registry::{Grace, KindRow, Strategy, SubresourceRow, WriteContext, cell, keep};

/// Strategy of `v1` `Pod`.
pub(crate) struct Pod;

impl Strategy for Pod {
    fn kind(&self) -> KindRow {
        const STREAM: [&str; 2] = ["create", "get"];
        let part = |name| SubresourceRow::part(name, &["get", "patch", "update"]);
        KindRow::new("", "v1", "Pod", "pods")
            .short_names(&["po"])
            .categories(&["all"])
            .with_generation()
            .returns_deleted()
            .subresource(SubresourceRow::connect("attach", &STREAM))
            .subresource(SubresourceRow::binding())
            .subresource(part("ephemeralcontainers"))
            .subresource(SubresourceRow::eviction())
            .subresource(SubresourceRow::connect("exec", &STREAM))
            .subresource(SubresourceRow::connect("log", &["get"]))
            .subresource(SubresourceRow::connect("portforward", &STREAM))
            .subresource(SubresourceRow::connect(
                "proxy",
                &["create", "delete", "get", "patch", "update"],
            ))
            .subresource(part("resize"))
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, ctx: &WriteContext<'_>) {
        label_keys::merge(object);
        let class = object
            .view()
            .map_or(qos::QosClass::BestEffort, |pod| qos::compute(&pod));
        let mut status = json!({"phase": "Pending", "qosClass": class.as_str()});
        if cell::count(object, &["spec", "schedulingGates"]) > 0 {
            status["conditions"] = json!([gated(ctx.now)]);
        }
        object.set(&["status"], status);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        match ctx.subresource {
            "status" => prepare_status(new, old),
            "ephemeralcontainers" => {
                let asked = new.clone();
                keep(new, old, &["spec"]);
                keep(new, old, &["status"]);
                keep(new, &asked, &["spec", "ephemeralContainers"]);
            }
            "resize" => prepare_resize(new, old),
            // The server itself sets the node and the condition that says so.
            "binding" => {}
            _ => {
                keep(new, old, &["status"]);
                keep(new, old, &["spec", "ephemeralContainers"]);
            }
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]
    }

    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        let value = |field: &'static str| {
            let (part, name) = field.split_once('.').unwrap_or(("", field));
            let value = match field {
                "spec.hostNetwork" => is_on_host_network(object).to_string(),
                "status.podIP" => row::pod_ip(object).to_owned(),
                _ => object.str(&[part, name]).unwrap_or_default().to_owned(),
            };
            (field, value)
        };
        self.selectable().iter().copied().map(value).collect()
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &row::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        row::cells(object, now)
    }

    /// A pod that runs nowhere, or has ended, needs no time to end.
    fn grace(&self, object: &Object, requested: Option<i64>) -> Grace {
        let is_bound = object
            .str(&["spec", "nodeName"])
            .is_some_and(|node| !node.is_empty());
        let phase = object.str(&["status", "phase"]).unwrap_or_default();
        if !is_bound || matches!(phase, "Succeeded" | "Failed") {
            return Grace::None;
        }
        let own = cell::number(object, &["spec", "terminationGracePeriodSeconds"]);
        match requested.unwrap_or(own) {
            0 => Grace::None,
            seconds if seconds < 0 => Grace::Seconds(1),
            seconds => Grace::Seconds(seconds),
        }
    }
}

fn is_on_host_network(pod: &Object) -> bool {
    pod.get(&["spec", "hostNetwork"]) == Some(&Value::Bool(true))
}

/// The condition of a pod that waits for its gates.
fn gated(now: Timestamp) -> Value {
    json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": "SchedulingGated",
        "message": "Scheduling is blocked due to non-empty scheduling gates",
        "lastProbeTime": null,
        "lastTransitionTime": crate::registry::rfc3339(now),
    })
}

/// The node reports the status; spec and owners are none of its business, and the class is fixed.
fn prepare_status(new: &mut Object, old: &Object) {
    keep(new, old, &["spec"]);
    keep(new, old, &["metadata", "ownerReferences"]);
    keep(new, old, &["metadata", "deletionTimestamp"]);
    let class = ["status", "qosClass"];
    if new.str(&class).is_none_or(str::is_empty) {
        keep(new, old, &class);
    }
}

/// Of the spec, only the resources of containers come through `resize`.
fn prepare_resize(new: &mut Object, old: &Object) {
    let asked = new.clone();
    keep(new, old, &["spec"]);
    keep(new, old, &["status"]);
    for list in ["containers", "initContainers"] {
        let containers = cell::items(&asked, &["spec", list]);
        let kept = new.get(&["spec", list]).and_then(Value::as_array).cloned();
        let Some(mut kept) = kept else { continue };
        for container in &mut kept {
            let asked = containers
                .iter()
                .find(|asked| asked["name"] == container["name"]);
            if let Some(resources) = asked.and_then(|asked| asked.get("resources")) {
                container["resources"] = resources.clone();
            }
        }
        new.set(&["spec", list], kept.into());
    }
}

#[cfg(test)]
mod tests;
