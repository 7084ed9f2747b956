//! `hostPath`, of a pod or of a persistent volume: a path of the node, checked or made as its type says.

use std::{fs, os::unix::fs::FileTypeExt, path::Path};

use async_trait::async_trait;

use super::{MountedVolume, Plugin, Setup, VolumeError, mount, spec::Spec};

pub(super) struct HostPath;

#[async_trait]
impl Plugin for HostPath {
    fn name(&self) -> &'static str {
        "kubernetes.io~host-path"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.host_path().is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.host_path().cloned().unwrap_or_default();
        let path = Path::new(&source.path);
        check(path, source.type_.as_deref().unwrap_or_default())?;
        // The node's own files stay as they are: no group, no labels.
        Ok(MountedVolume {
            is_managed: false,
            ..MountedVolume::managed(path)
        })
    }
}

fn check(path: &Path, type_: &str) -> Result<(), VolumeError> {
    let kind = fs::metadata(path).ok().map(|meta| meta.file_type());
    let require = |is_right: bool, what: &str| {
        if is_right {
            Ok(())
        } else {
            let path = path.display();
            Err(VolumeError::Invalid(format!(
                "hostPath type check failed: {path} is not {what}"
            )))
        }
    };
    match type_ {
        // Runtimes make a missing directory of an unchecked path; do it here, where it shows.
        "" if kind.is_none() => mount::make_dir(path, 0o755),
        "" => Ok(()),
        "DirectoryOrCreate" if kind.is_none() => mount::make_dir(path, 0o755),
        "FileOrCreate" if kind.is_none() => fs::write(path, []).map_err(VolumeError::at(path)),
        "Directory" | "DirectoryOrCreate" => {
            require(kind.is_some_and(|kind| kind.is_dir()), "a directory")
        }
        "File" | "FileOrCreate" => require(kind.is_some_and(|kind| kind.is_file()), "a file"),
        "Socket" => require(kind.is_some_and(|kind| kind.is_socket()), "a socket file"),
        "CharDevice" => require(
            kind.is_some_and(|kind| kind.is_char_device()),
            "a character device",
        ),
        "BlockDevice" => require(
            kind.is_some_and(|kind| kind.is_block_device()),
            "a block device",
        ),
        other => Err(VolumeError::Invalid(format!(
            "unknown hostPath type: {other}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_checked_and_created_only_when_it_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "x").unwrap();
        assert!(check(&at("file"), "File").is_ok());
        let error = check(&at("file"), "Directory").unwrap_err().to_string();
        assert!(
            error.starts_with("hostPath type check failed:")
                && error.ends_with("is not a directory")
        );
        assert!(check(&at("none"), "File").is_err());
        check(&at("made"), "FileOrCreate").unwrap();
        check(&at("deep/er"), "DirectoryOrCreate").unwrap();
        assert!(at("made").is_file() && at("deep/er").is_dir());
    }
}
