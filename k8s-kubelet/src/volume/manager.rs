//! Setting up and taking down all volumes of a pod.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Pod, Volume};

use super::{Plugin, Setup, Tokens, VolumeError, mount, plugins};
use crate::source::Objects;

/// Where each volume of a pod is, by its name.
pub type Mounted = BTreeMap<String, PathBuf>;

/// The volumes of a node's pods.
pub struct Volumes {
    plugins: Vec<Box<dyn Plugin>>,
    objects: Objects,
    tokens: Tokens,
    allocatable: (i64, i64),
}

impl Volumes {
    /// All kinds of volumes; `allocatable` is what containers without limits may use, in millicores
    /// and bytes.
    pub fn new(objects: Objects, tokens: Tokens, allocatable: (i64, i64)) -> Self {
        Self {
            plugins: plugins(),
            objects,
            tokens,
            allocatable,
        }
    }

    /// Sets up every volume of a pod under its directory, or brings them up to date. On failure
    /// says which volume failed.
    pub async fn set_up(&self, pod: &Pod, dir: &Path) -> Result<Mounted, (String, VolumeError)> {
        let mut mounted = Mounted::new();
        for volume in volumes(pod) {
            let path = self.set_up_one(pod, volume, dir).await;
            let path = path.map_err(|error| (volume.name.clone(), error))?;
            mounted.insert(volume.name.clone(), path);
        }
        Ok(mounted)
    }

    /// Brings the volumes up to date that follow the API.
    pub async fn update(&self, pod: &Pod, dir: &Path) -> Result<(), (String, VolumeError)> {
        for volume in volumes(pod) {
            if self.plugin(volume).is_some_and(Plugin::is_live) {
                let updated = self.set_up_one(pod, volume, dir).await;
                updated.map_err(|error| (volume.name.clone(), error))?;
            }
        }
        Ok(())
    }

    /// Whether any volume of the pod follows the API.
    pub fn is_live(&self, pod: &Pod) -> bool {
        volumes(pod).any(|volume| self.plugin(volume).is_some_and(Plugin::is_live))
    }

    /// Where the pod's volumes keep files of its own, by name; nothing may be there.
    pub(crate) fn places(&self, pod: &Pod, dir: &Path) -> Vec<(String, PathBuf)> {
        let served = volumes(pod).filter_map(|volume| Some((self.plugin(volume)?, volume)));
        served
            .map(|(plugin, volume)| (volume.name.clone(), place(plugin, volume, dir)))
            .collect()
    }

    /// Takes down whatever volumes there are under a pod's directory.
    pub fn tear_down(dir: &Path) -> Result<(), VolumeError> {
        mount::remove(&dir.join("volumes"))
    }

    fn plugin(&self, volume: &Volume) -> Option<&dyn Plugin> {
        let mut plugins = self.plugins.iter().map(Box::as_ref);
        plugins.find(|plugin| plugin.serves(volume))
    }

    async fn set_up_one(
        &self,
        pod: &Pod,
        volume: &Volume,
        dir: &Path,
    ) -> Result<PathBuf, VolumeError> {
        let plugin = self
            .plugin(volume)
            .ok_or_else(|| VolumeError::Invalid("no volume plugin matched".into()))?;
        let dir = place(plugin, volume, dir);
        if let Some(parent) = dir.parent() {
            mount::make_dir(parent, 0o750)?;
        }
        let setup = Setup {
            pod,
            volume,
            dir: &dir,
            objects: &self.objects,
            tokens: &self.tokens,
            allocatable: self.allocatable,
        };
        plugin.set_up(&setup).await
    }
}

/// A volume's own directory below its pod's.
fn place(plugin: &dyn Plugin, volume: &Volume, dir: &Path) -> PathBuf {
    dir.join("volumes").join(plugin.name()).join(&volume.name)
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
}
