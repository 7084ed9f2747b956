//! The priority levels and flow schemas of every cluster.

use k8s_apimachinery::{
    Object,
    api::flowcontrol::bootstrap::{self, Bootstrap},
};
use serde_json::json;

use super::{Keep, Maker};
use crate::{ApiError, registry::rfc3339};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// Whether the server may update an object that is only a suggestion.
const AUTO_UPDATE: &str = "apf.kubernetes.io/autoupdate-spec";

pub(super) async fn run(maker: &Maker<'_>) -> Result<(), ApiError> {
    for level in bootstrap::priority_levels() {
        ensure(maker, "prioritylevelconfigurations", &level).await?;
    }
    for schema in bootstrap::flow_schemas() {
        ensure(maker, "flowschemas", &schema).await?;
        let level = &schema.spec["priorityLevelConfiguration"]["name"];
        let found = json!({
            "type": "Dangling",
            "status": "False",
            "reason": "Found",
            "message": format!(
                "This FlowSchema references the PriorityLevelConfiguration object named {level} and it exists"
            ),
            "lastTransitionTime": rfc3339(maker.now()),
        });
        maker
            .ensure_condition(GROUP, "flowschemas", schema.name, found)
            .await?;
    }
    Ok(())
}

async fn ensure(maker: &Maker<'_>, plural: &str, wanted: &Bootstrap) -> Result<(), ApiError> {
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
