//! `projected`: several sources in one directory, following the API.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::VolumeProjection;

use super::{
    MountedVolume, Plugin, Setup, VolumeError, atomic, mount,
    payload::{self, File, Files, Selection},
    spec::Spec,
    token, trust_bundle,
};

pub(super) struct Projected;

#[async_trait]
impl Plugin for Projected {
    fn name(&self) -> &'static str {
        "kubernetes.io~projected"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.projected.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.projected.clone().unwrap_or_default();
        let mut files = Files::new();
        for part in source.sources.iter().flatten() {
            files.extend(project(setup, part, source.default_mode).await?);
        }
        mount::memory_dir(setup.dir, setup.memory())?;
        atomic::write(setup.dir, &files, setup.ownership())?;
        Ok(MountedVolume::managed(setup.dir))
    }
}

async fn project(
    setup: &Setup<'_>,
    part: &VolumeProjection,
    default_mode: Option<i32>,
) -> Result<Files, VolumeError> {
    let (objects, namespace) = (&setup.host.objects, setup.namespace());
    if let Some(source) = &part.config_map {
        let selection = Selection {
            items: source.items.as_deref(),
            default_mode,
            is_optional: source.optional == Some(true),
        };
        return payload::config_map(objects, namespace, &source.name, &selection).await;
    }
    if let Some(source) = &part.secret {
        let selection = Selection {
            items: source.items.as_deref(),
            default_mode,
            is_optional: source.optional == Some(true),
        };
        return payload::secret(objects, namespace, &source.name, &selection).await;
    }
    if let Some(source) = &part.downward_api {
        let items = source.items.as_deref().unwrap_or_default();
        return payload::downward_api(setup, items, default_mode);
    }
    if let Some(source) = &part.service_account_token {
        let token = setup.host.tokens.get(setup.pod, source).await?;
        // Where it is known who is to read it, nobody else needs to.
        let owner = token::reader(setup.pod);
        let mode = (owner.is_some() || setup.ownership().is_some()).then_some(0o600);
        let file = File {
            owner,
            ..File::new(token.into_bytes(), mode, default_mode)
        };
        return Ok(Files::from([(source.path.clone(), file)]));
    }
    if let Some(source) = &part.cluster_trust_bundle {
        let text = trust_bundle::certificates(&setup.host.client, source).await?;
        let file = File::new(text.into_bytes(), None, default_mode);
        return Ok(Files::from([(source.path.clone(), file)]));
    }
    Err(VolumeError::Invalid(
        "a projected source of this kind is not supported".into(),
    ))
}
