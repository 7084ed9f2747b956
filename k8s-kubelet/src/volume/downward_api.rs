//! `downwardAPI`: facts about the pod as files, following the API.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Volume;

use super::{Plugin, Setup, VolumeError, atomic, mount, payload};

pub(super) struct DownwardApi;

#[async_trait]
impl Plugin for DownwardApi {
    fn name(&self) -> &'static str {
        "kubernetes.io~downward-api"
    }

    fn serves(&self, volume: &Volume) -> bool {
        volume.downward_api.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError> {
        let source = setup.volume.downward_api.clone().unwrap_or_default();
        let items = source.items.unwrap_or_default();
        let files = payload::downward_api(setup, &items, source.default_mode)?;
        mount::memory_dir(setup.dir)?;
        atomic::write(setup.dir, &files, setup.fs_group())?;
        Ok(setup.dir.to_owned())
    }
}
