//! `configMap`: the keys of a config map as files, following the API.

use super::{MountedVolume, Plugin, Setup, VolumeError, atomic, mount, payload, spec::Spec};
use async_trait::async_trait;

pub(super) struct ConfigMapVolume;

#[async_trait]
impl Plugin for ConfigMapVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~configmap"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.config_map.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.config_map.clone().unwrap_or_default();
        let selection = payload::Selection {
            items: source.items.as_deref(),
            default_mode: source.default_mode,
            is_optional: source.optional == Some(true),
        };
        let files = payload::config_map(
            &setup.host.objects,
            setup.namespace(),
            &source.name,
            &selection,
        )
        .await?;
        mount::make_dir(setup.dir, 0o777)?;
        atomic::write(setup.dir, &files, setup.ownership())?;
        Ok(MountedVolume::managed(setup.dir))
    }
}
