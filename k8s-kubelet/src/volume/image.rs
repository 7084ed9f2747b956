//! `image`: what an image holds, mounted read-only by the runtime. Nothing is made on the node here; the
//! image is fetched when a container is started.

use std::path::Path;

use async_trait::async_trait;

use super::{MountedVolume, Plugin, Setup, VolumeError, spec::Spec};

pub(super) struct ImageVolume;

#[async_trait]
impl Plugin for ImageVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~image"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.image.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.image.clone().unwrap_or_default();
        Ok(MountedVolume {
            is_read_only: true,
            is_managed: false,
            image: Some(source.reference.unwrap_or_default()),
            ..MountedVolume::managed(Path::new(""))
        })
    }
}
