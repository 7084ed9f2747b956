//! `local`: a persistent volume that is a directory or a device of one node.
//!
//! A directory is bound into the pod's own, so that it can be seen who has it and the node's path may
//! not vanish under the pod. Making file systems on devices is left to whoever provides them.

use std::{fs, os::unix::fs::FileTypeExt, path::Path};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::LocalVolumeSource;

use super::{MountedVolume, Plugin, Setup, VolumeError, mount, spec::Spec};

pub(super) struct LocalVolume;

#[async_trait]
impl Plugin for LocalVolume {
    fn name(&self) -> &'static str {
        "kubernetes.io~local-volume"
    }

    fn serves(&self, spec: &Spec) -> bool {
        source(spec).is_some()
    }

    fn check(&self, spec: &Spec) -> Result<(), VolumeError> {
        let path = source(spec).map(|source| source.path.as_str());
        check(Path::new(path.unwrap_or_default()), spec.is_block())
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = source(setup.spec).cloned().unwrap_or_default();
        let path = Path::new(&source.path);
        if setup.spec.is_block() {
            return Ok(MountedVolume::managed(path));
        }
        let is_read_only = setup.spec.is_read_only();
        if !setup.dir.exists() || !mount::is_mounted(setup.dir)? {
            mount::make_dir(setup.dir, 0o750)?;
            mount::bind(path, setup.dir, is_read_only)?;
        }
        if let Some(ownership) = setup.ownership().filter(|_| !is_read_only) {
            ownership.apply(setup.dir)?;
        }
        Ok(MountedVolume::managed(setup.dir))
    }
}

fn source(spec: &Spec) -> Option<&LocalVolumeSource> {
    spec.behind()?.local.as_ref()
}

fn check(path: &Path, is_block: bool) -> Result<(), VolumeError> {
    let shown = path.display();
    let Ok(meta) = fs::metadata(path) else {
        return Err(VolumeError::Invalid(format!(
            "path {:?} does not exist",
            path
        )));
    };
    let is_device = meta.file_type().is_block_device();
    match is_block {
        true if !is_device => Err(VolumeError::Invalid(format!(
            "{shown} is not a block device"
        ))),
        false if !meta.is_dir() => Err(VolumeError::Invalid(format!("{shown} is not a directory"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_must_exist_and_be_what_the_mode_says() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check(dir.path(), false).is_ok());
        let none = dir.path().join("none");
        let says = check(&none, false).unwrap_err().to_string();
        assert_eq!(says, format!("path {none:?} does not exist"));
        let says = check(dir.path(), true).unwrap_err().to_string();
        assert!(says.ends_with("is not a block device"), "{says}");
    }
}
