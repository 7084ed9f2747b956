//! `projected`: several sources in one directory, following the API.

use std::path::PathBuf;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Volume, VolumeProjection};

use super::{
    Plugin, Setup, VolumeError, atomic, mount,
    payload::{self, File, Files, Selection},
    token,
};

pub(super) struct Projected;

#[async_trait]
impl Plugin for Projected {
    fn name(&self) -> &'static str {
        "kubernetes.io~projected"
    }

    fn serves(&self, volume: &Volume) -> bool {
        volume.projected.is_some()
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<PathBuf, VolumeError> {
        let source = setup.volume.projected.clone().unwrap_or_default();
        let mut files = Files::new();
        for part in source.sources.iter().flatten() {
            files.extend(project(setup, part, source.default_mode).await?);
        }
        mount::memory_dir(setup.dir)?;
        atomic::write(setup.dir, &files, setup.fs_group())?;
        Ok(setup.dir.to_owned())
    }
}

async fn project(
    setup: &Setup<'_>,
    part: &VolumeProjection,
    default_mode: Option<i32>,
) -> Result<Files, VolumeError> {
    let (objects, namespace) = (setup.objects, setup.namespace());
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
        let token = setup.tokens.get(setup.pod, source).await?;
        // Where it is known who is to read it, nobody else needs to.
        let owner = token::reader(setup.pod);
        let mode = (owner.is_some() || setup.fs_group().is_some()).then_some(0o600);
        let file = File {
            owner,
            ..File::new(token.into_bytes(), mode, default_mode)
        };
        return Ok(Files::from([(source.path.clone(), file)]));
    }
    Err(VolumeError::Invalid(
        "a projected source of this kind is not supported".into(),
    ))
}
