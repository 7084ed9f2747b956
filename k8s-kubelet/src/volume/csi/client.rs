//! Calling a driver.

use std::{path::Path, time::Duration};

use tonic::{Code, Request, transport::Channel};

use super::api::{
    self, NodeGetCapabilitiesRequest, NodeGetInfoRequest, NodeGetInfoResponse,
    node_client::NodeClient, node_service_capability,
};
use crate::socket;

pub(super) use super::api::node_service_capability::rpc::Type as Capability;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A driver that refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No driver of this name has made itself known.
    #[error("driver name {0} not found in the list of registered CSI drivers")]
    Unknown(String),
    /// The call failed; as gRPC tells it.
    #[error("rpc error: code = {} desc = {message}", name(*.code))]
    Call {
        /// What kind of failure.
        code: Code,
        /// In the driver's words.
        message: String,
    },
}

impl From<tonic::Status> for DriverError {
    fn from(status: tonic::Status) -> Self {
        Self::Call {
            code: status.code(),
            message: status.message().to_owned(),
        }
    }
}

/// As gRPC for Go names it.
fn name(code: Code) -> String {
    match code {
        Code::Ok => "OK".into(),
        Code::Cancelled => "Canceled".into(),
        other => format!("{other:?}"),
    }
}

/// One driver's node service.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    node: NodeClient<Channel>,
    pub(super) capabilities: Vec<Capability>,
}

impl Driver {
    /// Connects and asks what it can do.
    pub(super) async fn connect(endpoint: &Path) -> Result<Self, DriverError> {
        let mut node = NodeClient::new(socket::channel(endpoint.to_owned()));
        let message = NodeGetCapabilitiesRequest {};
        let answer = node.node_get_capabilities(request(message)).await?;
        let capabilities = answer.into_inner().capabilities.into_iter();
        let capabilities = capabilities.filter_map(|capability| match capability.r#type? {
            node_service_capability::Type::Rpc(rpc) => Some(rpc.r#type()),
        });
        Ok(Self {
            capabilities: capabilities.collect(),
            node,
        })
    }

    pub(super) fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    pub(super) async fn info(&self) -> Result<NodeGetInfoResponse, DriverError> {
        let message = NodeGetInfoRequest {};
        let answer = self.node().node_get_info(request(message)).await?;
        Ok(answer.into_inner())
    }

    pub(super) async fn stage(
        &self,
        message: api::NodeStageVolumeRequest,
    ) -> Result<(), DriverError> {
        self.node().node_stage_volume(request(message)).await?;
        Ok(())
    }

    pub(super) async fn unstage(&self, handle: &str, path: &Path) -> Result<(), DriverError> {
        let message = api::NodeUnstageVolumeRequest {
            volume_id: handle.to_owned(),
            staging_target_path: text(path),
        };
        self.node().node_unstage_volume(request(message)).await?;
        Ok(())
    }

    pub(super) async fn publish(
        &self,
        message: api::NodePublishVolumeRequest,
    ) -> Result<(), DriverError> {
        self.node().node_publish_volume(request(message)).await?;
        Ok(())
    }

    pub(super) async fn unpublish(&self, handle: &str, path: &Path) -> Result<(), DriverError> {
        let message = api::NodeUnpublishVolumeRequest {
            volume_id: handle.to_owned(),
            target_path: text(path),
        };
        self.node().node_unpublish_volume(request(message)).await?;
        Ok(())
    }

    pub(super) async fn expand(
        &self,
        message: api::NodeExpandVolumeRequest,
    ) -> Result<i64, DriverError> {
        let answer = self.node().node_expand_volume(request(message)).await?;
        Ok(answer.into_inner().capacity_bytes)
    }

    pub(super) async fn usage(
        &self,
        message: api::NodeGetVolumeStatsRequest,
    ) -> Result<Vec<api::VolumeUsage>, DriverError> {
        let answer = self.node().node_get_volume_stats(request(message)).await?;
        Ok(answer.into_inner().usage)
    }

    fn node(&self) -> NodeClient<Channel> {
        self.node.clone()
    }
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(super) fn request<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}
