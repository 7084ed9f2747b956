//! The files that volumes made of API objects show.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret},
};

use super::{Setup, VolumeError};
use crate::{
    pod::field,
    source::{Objects, SourceError},
};

/// Files by their paths below the volume.
pub(super) type Files = BTreeMap<String, File>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) data: Vec<u8>,
    pub(super) mode: u32,
    /// The user whose file it is; the agent's own unless set.
    pub(super) owner: Option<u32>,
}

impl File {
    pub(super) fn new(data: Vec<u8>, mode: Option<i32>, default_mode: Option<i32>) -> Self {
        let mode = mode
            .or(default_mode)
            .and_then(|mode| u32::try_from(mode).ok());
        Self {
            data,
            mode: mode.unwrap_or(0o644),
            owner: None,
        }
    }
}

/// Which keys are shown, where, and how.
pub(super) struct Selection<'a> {
    pub(super) items: Option<&'a [KeyToPath]>,
    pub(super) default_mode: Option<i32>,
    pub(super) is_optional: bool,
}

pub(super) async fn config_map(
    objects: &Objects,
    namespace: &str,
    name: &str,
    selection: &Selection<'_>,
) -> Result<Files, VolumeError> {
    match objects.config_map(namespace, name).await {
        Ok(map) => selection.apply(config_map_data(&map)),
        Err(SourceError::NotFound { .. }) if selection.is_optional => Ok(Files::new()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn secret(
    objects: &Objects,
    namespace: &str,
    name: &str,
    selection: &Selection<'_>,
) -> Result<Files, VolumeError> {
    match objects.secret(namespace, name).await {
        Ok(secret) => selection.apply(secret_data(&secret)),
        Err(SourceError::NotFound { .. }) if selection.is_optional => Ok(Files::new()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn downward_api(
    setup: &Setup<'_>,
    items: &[DownwardAPIVolumeFile],
    default_mode: Option<i32>,
) -> Result<Files, VolumeError> {
    let mut files = Files::new();
    for item in items {
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), _) => field::of_pod(setup.pod, &field.field_path),
            (None, Some(resource)) => {
                field::of_resources(setup.pod, resource, None, setup.host.allocatable)
            }
            (None, None) => continue,
        };
        let text = text.map_err(VolumeError::Invalid)?;
        files.insert(
            item.path.clone(),
            File::new(text.into_bytes(), item.mode, default_mode),
        );
    }
    Ok(files)
}

fn config_map_data(map: &ConfigMap) -> BTreeMap<String, Vec<u8>> {
    let text = map.data.iter().flatten();
    let text = text.map(|(key, text)| (key.clone(), text.clone().into_bytes()));
    let binary = map.binary_data.iter().flatten();
    let binary = binary.map(|(key, ByteString(data))| (key.clone(), data.clone()));
    text.chain(binary).collect()
}

fn secret_data(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    let data = secret.data.iter().flatten();
    data.map(|(key, ByteString(data))| (key.clone(), data.clone()))
        .collect()
}

impl Selection<'_> {
    fn apply(&self, mut data: BTreeMap<String, Vec<u8>>) -> Result<Files, VolumeError> {
        let Some(items) = self.items.filter(|items| !items.is_empty()) else {
            let files = data.into_iter();
            return Ok(files
                .map(|(key, data)| (key, File::new(data, None, self.default_mode)))
                .collect());
        };
        let mut files = Files::new();
        for item in items {
            match data.remove(&item.key) {
                Some(data) => {
                    let file = File::new(data, item.mode, self.default_mode);
                    files.insert(item.path.clone(), file);
                }
                None if self.is_optional => {}
                None => {
                    return Err(VolumeError::Invalid(format!(
                        "references non-existent config key: {}",
                        item.key
                    )));
                }
            }
        }
        Ok(files)
    }
}
