//! The driver's part on the node. Every call may come twice.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use rustix::fs::{Gid, chown};
use serde_json::{Value, json};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    Args,
    api::{
        self, GetPluginInfoRequest, GetPluginInfoResponse, NodeExpandVolumeRequest,
        NodeExpandVolumeResponse, NodeGetCapabilitiesRequest, NodeGetCapabilitiesResponse,
        NodeGetInfoRequest, NodeGetInfoResponse, NodeGetVolumeStatsRequest,
        NodeGetVolumeStatsResponse, NodePublishVolumeRequest, NodePublishVolumeResponse,
        NodeServiceCapability, NodeStageVolumeRequest, NodeStageVolumeResponse,
        NodeUnpublishVolumeRequest, NodeUnpublishVolumeResponse, NodeUnstageVolumeRequest,
        NodeUnstageVolumeResponse, Topology, VolumeCapability, VolumeUsage,
        node_service_capability::{Rpc, Type, rpc},
        volume_capability::AccessType,
        volume_usage::Unit,
    },
    volume::{self, Volume},
};

/// Answers the node agent.
pub(crate) struct Node {
    args: Args,
}

impl Node {
    pub(crate) fn new(args: Args) -> Self {
        Self { args }
    }

    fn log(&self, call: &str, what: Value) -> io::Result<()> {
        let path = self.args.data.join("calls");
        let mut file = fs::File::options().append(true).create(true).open(path)?;
        let mut line = json!({ "call": call });
        if let (Some(line), Value::Object(what)) = (line.as_object_mut(), what) {
            line.extend(what);
        }
        writeln!(file, "{line}")
    }

    fn volume(&self, handle: &str) -> io::Result<Volume> {
        if handle.is_empty() || handle.contains('/') {
            return Err(io::Error::other("no volume of that name"));
        }
        Volume::open(&self.args.data, handle)
    }

    fn stage(&self, request: &NodeStageVolumeRequest) -> io::Result<()> {
        self.log(
            "stage",
            json!({
                "volume": request.volume_id,
                "attached": request.publish_context,
                "secrets": request.secrets,
                "context": request.volume_context,
                "capability": capability(request.volume_capability.as_ref()),
            }),
        )?;
        let volume = self.volume(&request.volume_id)?;
        match is_block(request.volume_capability.as_ref()) {
            true => Ok(()),
            false => volume::show(
                &volume.files(),
                Path::new(&request.staging_target_path),
                false,
            ),
        }
    }

    fn publish(&self, request: &NodePublishVolumeRequest) -> io::Result<()> {
        let asked = request.volume_capability.as_ref();
        self.log(
            "publish",
            json!({
                "volume": request.volume_id,
                "attached": request.publish_context,
                "readonly": request.readonly,
                "secrets": request.secrets,
                "context": request.volume_context,
                "capability": capability(asked),
            }),
        )?;
        let volume = self.volume(&request.volume_id)?;
        let target = Path::new(&request.target_path);
        if is_block(asked) {
            volume.release()?;
            return volume::show(&volume.device()?, target, false);
        }
        let is_ephemeral = request.volume_context.get("csi.storage.k8s.io/ephemeral");
        if is_ephemeral.is_some_and(|text| text == "true") {
            fs::write(
                volume.files().join("context"),
                json!(request.volume_context).to_string(),
            )?;
        }
        if self.args.mount_group
            && let Some(AccessType::Mount(mount)) =
                asked.and_then(|asked| asked.access_type.clone())
            && let Ok(group) = mount.volume_mount_group.parse()
        {
            chown(volume.files(), None, Some(Gid::from_raw(group)))?;
        }
        let from = match request.staging_target_path.as_str() {
            "" => volume.files(),
            staged => staged.into(),
        };
        volume::show(&from, target, request.readonly)
    }

    fn unpublish(&self, request: &NodeUnpublishVolumeRequest) -> io::Result<()> {
        self.log("unpublish", json!({ "volume": request.volume_id }))?;
        volume::hide(Path::new(&request.target_path))?;
        let volume = self.volume(&request.volume_id)?;
        volume.release()?;
        // Those that live with their pods are named by the agent.
        match request.volume_id.starts_with("csi-") {
            true => volume.delete(),
            false => Ok(()),
        }
    }

    fn unstage(&self, request: &NodeUnstageVolumeRequest) -> io::Result<()> {
        self.log("unstage", json!({ "volume": request.volume_id }))?;
        volume::hide(Path::new(&request.staging_target_path))
    }

    fn expand(&self, request: &NodeExpandVolumeRequest) -> io::Result<i64> {
        let size = request.capacity_range.unwrap_or_default().required_bytes;
        self.log(
            "expand",
            json!({ "volume": request.volume_id, "size": size }),
        )?;
        self.volume(&request.volume_id)?.grow(size)?;
        Ok(size)
    }

    fn usage(&self, request: &NodeGetVolumeStatsRequest) -> io::Result<Vec<VolumeUsage>> {
        let volume = self.volume(&request.volume_id)?;
        let (bytes, files) = volume.used();
        let usage = |total: i64, used: i64, unit: Unit| VolumeUsage {
            available: total - used,
            total,
            used,
            unit: unit.into(),
        };
        Ok(vec![
            usage(volume.size(), bytes, Unit::Bytes),
            usage(1000, files, Unit::Inodes),
        ])
    }
}

fn is_block(asked: Option<&VolumeCapability>) -> bool {
    let access = asked.and_then(|asked| asked.access_type.as_ref());
    matches!(access, Some(AccessType::Block(_)))
}

/// As the log shows it.
fn capability(asked: Option<&VolumeCapability>) -> Value {
    let mode = asked.and_then(|asked| asked.access_mode);
    let mode = mode.unwrap_or_default().mode().as_str_name();
    match asked.and_then(|asked| asked.access_type.as_ref()) {
        Some(AccessType::Mount(mount)) => json!({
            "mode": mode,
            "fsType": mount.fs_type,
            "flags": mount.mount_flags,
            "group": mount.volume_mount_group,
        }),
        _ => json!({ "mode": mode, "block": true }),
    }
}

fn failed(error: io::Error) -> Status {
    Status::internal(error.to_string())
}

#[async_trait]
impl api::identity_server::Identity for Node {
    async fn get_plugin_info(
        &self,
        _: Request<GetPluginInfoRequest>,
    ) -> Result<Response<GetPluginInfoResponse>, Status> {
        Ok(Response::new(GetPluginInfoResponse {
            name: self.args.name.clone(),
            vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
            manifest: BTreeMap::new(),
        }))
    }
}

#[async_trait]
impl api::node_server::Node for Node {
    async fn node_stage_volume(
        &self,
        request: Request<NodeStageVolumeRequest>,
    ) -> Result<Response<NodeStageVolumeResponse>, Status> {
        self.stage(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodeStageVolumeResponse {}))
    }

    async fn node_unstage_volume(
        &self,
        request: Request<NodeUnstageVolumeRequest>,
    ) -> Result<Response<NodeUnstageVolumeResponse>, Status> {
        self.unstage(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodeUnstageVolumeResponse {}))
    }

    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Result<Response<NodePublishVolumeResponse>, Status> {
        self.publish(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodePublishVolumeResponse {}))
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Result<Response<NodeUnpublishVolumeResponse>, Status> {
        self.unpublish(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodeUnpublishVolumeResponse {}))
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<NodeGetVolumeStatsRequest>,
    ) -> Result<Response<NodeGetVolumeStatsResponse>, Status> {
        let usage = self.usage(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodeGetVolumeStatsResponse {
            usage,
            volume_condition: None,
        }))
    }

    async fn node_expand_volume(
        &self,
        request: Request<NodeExpandVolumeRequest>,
    ) -> Result<Response<NodeExpandVolumeResponse>, Status> {
        let capacity_bytes = self.expand(request.get_ref()).map_err(failed)?;
        Ok(Response::new(NodeExpandVolumeResponse { capacity_bytes }))
    }

    async fn node_get_capabilities(
        &self,
        _: Request<NodeGetCapabilitiesRequest>,
    ) -> Result<Response<NodeGetCapabilitiesResponse>, Status> {
        let mut can = vec![
            rpc::Type::GetVolumeStats,
            rpc::Type::ExpandVolume,
            rpc::Type::SingleNodeMultiWriter,
        ];
        if !self.args.no_stage {
            can.push(rpc::Type::StageUnstageVolume);
        }
        if self.args.mount_group {
            can.push(rpc::Type::VolumeMountGroup);
        }
        let capabilities = can.into_iter().map(|can| NodeServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: can.into() })),
        });
        Ok(Response::new(NodeGetCapabilitiesResponse {
            capabilities: capabilities.collect(),
        }))
    }

    async fn node_get_info(
        &self,
        _: Request<NodeGetInfoRequest>,
    ) -> Result<Response<NodeGetInfoResponse>, Status> {
        let key = format!("topology.{}/rack", self.args.name);
        Ok(Response::new(NodeGetInfoResponse {
            node_id: format!("{}-here", self.args.name),
            max_volumes_per_node: self.args.max_volumes,
            accessible_topology: Some(Topology {
                segments: BTreeMap::from([(key, "r1".to_owned())]),
            }),
        }))
    }
}
