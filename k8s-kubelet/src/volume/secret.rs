//! `secret`: the keys of a secret as files in memory, following the API.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Volume;

use super::{Plugin, Setup, VolumeError, atomic, mount, payload};

pub(super) struct SecretVolume;

#[async_trait]
impl Plugin for SecretVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~secret"
    }

    fn serves(&self, volume: &Volume) -> bool {
        volume.secret.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError> {
        let source = setup.volume.secret.clone().unwrap_or_default();
        let selection = payload::Selection {
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
        };
        let name = source.secret_name.unwrap_or_default();
        let files = payload::secret(setup.objects, setup.namespace(), &name, &selection).await?;
        mount::memory_dir(setup.dir)?;
        atomic::write(setup.dir, &files, setup.fs_group())?;
        Ok(setup.dir.to_owned())
    }
}
