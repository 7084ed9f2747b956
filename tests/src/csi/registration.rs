//! Making the driver known to the node agent.

use std::path::Path;

use tonic::{Request, Response, Status, async_trait};

use crate::api::registration::{
    InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse,
    registration_server::Registration as Service,
};

/// What the agent is told.
pub(crate) struct Registration {
    info: PluginInfo,
}

impl Registration {
    pub(crate) fn new(name: &str, socket: &Path) -> Self {
        Self {
            info: PluginInfo {
                r#type: "CSIPlugin".into(),
                name: name.into(),
                endpoint: socket.display().to_string(),
                supported_versions: vec!["1.9.0".into()],
            },
        }
    }
}

#[async_trait]
impl Service for Registration {
    async fn get_info(&self, _: Request<InfoRequest>) -> Result<Response<PluginInfo>, Status> {
        Ok(Response::new(self.info.clone()))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Result<Response<RegistrationStatusResponse>, Status> {
        let status = request.into_inner();
        if !status.plugin_registered {
            eprintln!("csi-driver: not registered: {}", status.error);
        }
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}
