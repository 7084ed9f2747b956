//! `secret`: the keys of a secret as files in memory, following the API.

use super::{MountedVolume, Plugin, Setup, VolumeError, atomic, mount, payload, spec::Spec};
use async_trait::async_trait;

pub(super) struct SecretVolume;

#[async_trait]
impl Plugin for SecretVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~secret"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.secret.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.secret.clone().unwrap_or_default();
        let selection = payload::Selection {
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
        };
        let name = source.secret_name.unwrap_or_default();
        let files =
            payload::secret(&setup.host.objects, setup.namespace(), &name, &selection).await?;
        mount::memory_dir(setup.dir, setup.memory())?;
        atomic::write(setup.dir, &files, setup.ownership())?;
        Ok(MountedVolume::managed(setup.dir))
    }
}
