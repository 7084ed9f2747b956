//! `configMap`: the keys of a config map as files, following the API.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Volume;

use super::{Plugin, Setup, VolumeError, atomic, mount, payload};

pub(super) struct ConfigMapVolume;

#[async_trait]
impl Plugin for ConfigMapVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~configmap"
    }

    fn serves(&self, volume: &Volume) -> bool {
        volume.config_map.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError> {
        let source = setup.volume.config_map.clone().unwrap_or_default();
        let selection = payload::Selection {
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
        };
        let files =
            payload::config_map(setup.objects, setup.namespace(), &source.name, &selection).await?;
        mount::make_dir(setup.dir, 0o777)?;
        atomic::write(setup.dir, &files, setup.fs_group())?;
        Ok(setup.dir.to_owned())
    }
}
