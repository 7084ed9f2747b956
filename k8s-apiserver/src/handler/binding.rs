//! `pods/binding`: assigns a pod to a node, once.

use k8s_apimachinery::{Object, Value, scheme::gvk::Gvk};
use serde_json::json;

use super::{Call, respond};
use crate::{
    ApiError, Response,
    registry::{Missing, Tracking, condition, rfc3339},
};

/// Binds the pod of the path to the node that the body names.
pub(crate) async fn bind(call: &Call) -> Result<Response, ApiError> {
    let options = call.write_options()?;
    let gvk = Gvk::new("", "v1", "Binding");
    let mut binding = call.decode_as(&gvk, options.field_validation)?;
    check_target(call, binding.get(&["target"]).unwrap_or(&Value::Null))?;
    let write = call.write(&options);
    call.registry.admit(&write, &mut binding).await?;
    let node = binding.str(&["target", "name"]).unwrap_or_default();
    let now = rfc3339(call.registry.config().environment.now());
    let assign = |pod: Option<&Object>| match pod {
        Some(pod) => assigned(call, pod, &binding, node, &now),
        None => Err(ApiError::not_found(call.resource.name(), &call.info.name)),
    };
    call.registry
        .update(&write, &assign, Missing::NotFound, Tracking::Update)
        .await?;
    Ok(respond::created())
}

fn check_target(call: &Call, target: &Value) -> Result<(), ApiError> {
    let cause = match (target["kind"].as_str(), target["name"].as_str()) {
        (None | Some("" | "Node"), Some(name)) if !name.is_empty() => return Ok(()),
        (None | Some("" | "Node"), _) => {
            crate::error::Cause::new("FieldValueRequired", "Required value", "target.name")
        }
        (Some(kind), _) => crate::error::Cause::new(
            "FieldValueNotSupported",
            format!(r#"Unsupported value: "{kind}": supported values: "Node", "<empty>""#),
            "target.kind",
        ),
    };
    Err(ApiError::Invalid {
        kind: crate::error::GroupKind::new("", "Binding"),
        name: call.info.name.clone(),
        causes: vec![cause],
    })
}

/// The pod with its node. A pod has one node in its life, and one that is going gets none.
fn assigned(
    call: &Call,
    pod: &Object,
    binding: &Object,
    node: &str,
    now: &str,
) -> Result<Object, ApiError> {
    let conflict = |detail: String| ApiError::Conflict {
        resource: crate::error::GroupResource::new("", "pods/binding"),
        name: call.info.name.clone(),
        detail,
    };
    let name = pod.name();
    if !binding.uid().is_empty() && binding.uid() != pod.uid() {
        return Err(conflict(format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            binding.uid(),
            pod.uid()
        )));
    }
    if pod.deletion_timestamp().is_some() {
        return Err(conflict(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        )));
    }
    if let Some(current) = pod
        .str(&["spec", "nodeName"])
        .filter(|node| !node.is_empty())
    {
        return Err(conflict(format!(
            "pod {name} is already assigned to node {current:?}"
        )));
    }
    let gates = pod
        .get(&["spec", "schedulingGates"])
        .and_then(Value::as_array);
    if gates.is_some_and(|gates| !gates.is_empty()) {
        return Err(conflict(format!(
            "pod {name} has non-empty .spec.schedulingGates"
        )));
    }
    let mut assigned = pod.clone();
    assigned.set(&["spec", "nodeName"], node.into());
    for (key, value) in binding.annotations() {
        assigned.set(&["metadata", "annotations", key], value.into());
    }
    for (key, value) in binding.labels() {
        assigned.set(&["metadata", "labels", key], value.into());
    }
    // Where it was to go once others had made room: it has gone somewhere now.
    assigned.remove(&["status", "nominatedNodeName"]);
    set_scheduled(&mut assigned, now);
    Ok(assigned)
}

fn set_scheduled(pod: &mut Object, now: &str) {
    let generation = pod.generation();
    let mut scheduled = json!({ "type": "PodScheduled", "status": "True" });
    if generation > 0 {
        scheduled["observedGeneration"] = generation.into();
    }
    condition::set(pod, scheduled, now);
}
