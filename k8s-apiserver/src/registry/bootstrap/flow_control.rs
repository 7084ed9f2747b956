//! The priority levels and flow schemas of every cluster.

use k8s_apimachinery::{
    Object,
    api::flowcontrol::bootstrap::{self, Bootstrap},
};
use serde_json::json;

use super::{Keep, Maker, says};
use crate::{
    ApiError,
    registry::{Registry, cell, rfc3339},
};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// Whether the server may update an object that is only a suggestion.
const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

pub(super) async fn run(maker: &Maker<'_>) -> Result<(), ApiError> {
    for level in bootstrap::priority_levels() {
        make(maker, "prioritylevelconfigurations", &level).await?;
    }
    for schema in bootstrap::flow_schemas() {
        make(maker, "flowschemas", &schema).await?;
    }
    Ok(())
}

/// Makes those that are missing, and corrects those that nobody has taken over.
pub(crate) async fn ensure(registry: &Registry) -> Result<(), ApiError> {
    run(&Maker::new(registry)).await
}

/// Says in a FlowSchema's status whether its priority level is there, unless it says so already.
pub(crate) async fn mark(
    registry: &Registry,
    schema: &Object,
    has_level: bool,
) -> Result<(), ApiError> {
    let level = schema
        .str(&["spec", "priorityLevelConfiguration", "name"])
        .unwrap_or_default();
    let (status, reason, what) = match has_level {
        true => ("False", "Found", "and it exists"),
        false => ("True", "NotFound", "but there is no such object"),
    };
    let message = format!(
        "This FlowSchema references the PriorityLevelConfiguration object named {level:?} {what}"
    );
    let maker = Maker::new(registry);
    let condition = json!({
        "type": "Dangling",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": rfc3339(maker.now()),
    });
    if says(cell::items(schema, &["status", "conditions"]), &condition) {
        return Ok(());
    }
    let set = maker.ensure_condition(GROUP, "flowschemas", schema.name(), condition);
    match set.await {
        // It has been deleted meanwhile.
        Err(ApiError::NotFound { .. }) => Ok(()),
        set => set,
    }
}

async fn make(maker: &Maker<'_>, plural: &str, wanted: &Bootstrap) -> Result<(), ApiError> {
    let value = json!({
        "metadata": {"name": wanted.name, "annotations": {AUTO_UPDATE: "true"}},
        "spec": wanted.spec,
    });
    let keep = match (wanted.is_mandatory, wanted.name) {
        // How much of its share the exempt level lends is its owner's to say.
        (true, "exempt") if plural == "prioritylevelconfigurations" => Keep::Existing,
        (true, _) => Keep::Nothing,
        (false, _) => Keep::If(is_taken_over),
    };
    maker.ensure(GROUP, plural, value, keep).await
}

/// Whether somebody has made a suggestion his own.
fn is_taken_over(object: &Object) -> bool {
    match object.str(&["metadata", "annotations", AUTO_UPDATE]) {
        Some(answer) => answer != "true",
        None => object.generation() != 1,
    }
}
