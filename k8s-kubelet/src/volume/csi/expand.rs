//! Growing a volume that a pod uses, after its device has grown; and telling its claim.

use k8s_openapi::{
    api::core::v1::{ObjectReference, PersistentVolumeClaim},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    api::{CapacityRange, NodeExpandVolumeRequest},
    client::{Capability, text},
    context::Asked,
    kind, path, secrets,
};
use crate::volume::{Device, Setup, VolumeError, claim::words};

/// Has the driver grow the volume to so many bytes, then tells the claim.
pub(super) async fn expand(
    setup: &Setup<'_>,
    device: &Device,
    size: i64,
) -> Result<(), VolumeError> {
    let driver = setup.host.drivers.get(&device.driver)?;
    // A pod that only reads leaves it to one that writes; other drivers need nothing done on the node.
    if setup.spec.is_read_only() || !driver.can(Capability::ExpandVolume) {
        return Ok(());
    }
    let secret = setup
        .spec
        .csi()
        .and_then(|source| source.node_expand_secret_ref.as_ref());
    let target = setup.dir.join(path::target(kind(setup.spec)));
    let staging = path::staging(&setup.host.root, device).join(path::GLOBAL_MOUNT);
    let staging = driver
        .can(Capability::StageUnstageVolume)
        .then(|| text(&staging));
    let message = NodeExpandVolumeRequest {
        volume_id: device.handle.clone(),
        volume_path: text(&target),
        capacity_range: Some(CapacityRange {
            required_bytes: size,
            limit_bytes: 0,
        }),
        staging_target_path: staging.unwrap_or_default(),
        volume_capability: Some(Asked::new(setup, &driver).capability()),
        secrets: secrets(setup, secret).await?,
    };
    let about: ObjectReference = k8s_runtime::reference(setup.pod);
    let (name, node) = (setup.spec.name(), &setup.host.node);
    if let Err(error) = driver.expand(message).await {
        let message =
            format!("MountVolume.NodeExpandVolume failed for volume \"{name}\" : {error}");
        setup
            .host
            .recorder
            .warning(about, "VolumeResizeFailed", message);
        return Ok(());
    }
    tell(setup).await?;
    let message = format!("MountVolume.NodeExpandVolume succeeded for volume \"{name}\" {node}");
    setup
        .host
        .recorder
        .normal(about, "FileSystemResizeSuccessful", message);
    Ok(())
}

async fn tell(setup: &Setup<'_>) -> Result<(), VolumeError> {
    let Some(persistent) = &setup.spec.persistent else {
        return Ok(());
    };
    let size = setup
        .spec
        .behind()
        .and_then(|spec| spec.capacity.as_ref()?.get("storage"));
    let Some(size) = size else { return Ok(()) };
    let api: Api<PersistentVolumeClaim> =
        Api::namespaced(setup.host.client.clone(), setup.namespace());
    let name = persistent
        .claim
        .metadata
        .name
        .as_deref()
        .unwrap_or_default();
    let patch = Patch::Strategic(finished(&persistent.claim, size));
    let told = api
        .patch_status(name, &PatchParams::default(), &patch)
        .await;
    told.map(drop)
        .map_err(|error| VolumeError::Invalid(words(&error)))
}

/// The claim's status once its volume has grown.
fn finished(claim: &PersistentVolumeClaim, size: &Quantity) -> Value {
    let gone = |condition: &str| json!({"type": condition, "$patch": "delete"});
    let mut status = json!({
        "capacity": {"storage": size},
        "conditions": [gone("FileSystemResizePending"), gone("Resizing")],
    });
    let known = claim.status.as_ref();
    if known.is_some_and(|status| status.allocated_resource_statuses.is_some()) {
        status["allocatedResourceStatuses"] = json!({"storage": null});
    }
    json!({"status": status})
}
