//! `downwardAPI`: facts about the pod as files, following the API.

use super::{MountedVolume, Plugin, Setup, VolumeError, atomic, mount, payload, spec::Spec};
use async_trait::async_trait;

pub(super) struct DownwardApi;

#[async_trait]
impl Plugin for DownwardApi {
    fn name(&self) -> &'static str {
        "kubernetes.io~downward-api"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.downward_api.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.downward_api.clone().unwrap_or_default();
        let items = source.items.unwrap_or_default();
        let files = payload::downward_api(setup, &items, source.default_mode)?;
        mount::memory_dir(setup.dir, setup.memory())?;
        atomic::write(setup.dir, &files, setup.ownership())?;
        Ok(MountedVolume::managed(setup.dir))
    }
}
