//! `emptyDir`: scratch space for as long as the pod lives, on disk or in memory.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::Volume;

use super::{Plugin, Setup, VolumeError, mount};

pub(super) struct EmptyDir;

#[async_trait]
impl Plugin for EmptyDir {
    fn name(&self) -> &'static str {
        "kubernetes.io~empty-dir"
    }

    fn serves(&self, volume: &Volume) -> bool {
        volume.empty_dir.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError> {
        let source = setup.volume.empty_dir.clone().unwrap_or_default();
        if !setup.dir.exists() {
            mount::make_dir(setup.dir, 0o777)?;
            mount::own(setup.dir, setup.fs_group())?;
        }
        if source.medium.as_deref() == Some("Memory") && !mount::is_mounted(setup.dir)? {
            let limit = source
                .size_limit
                .and_then(|limit| limit.0.parse::<Quantity>().ok());
            let bytes = limit.map(|limit| limit.value()).filter(|bytes| *bytes > 0);
            mount::tmpfs(setup.dir, 0o777, bytes)?;
            mount::own(setup.dir, setup.fs_group())?;
        }
        Ok(setup.dir.to_owned())
    }
}
