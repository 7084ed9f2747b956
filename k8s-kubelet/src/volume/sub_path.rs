//! `subPath`: mounting a part of a volume.

use std::path::{Component, Path, PathBuf};

use super::{VolumeError, mount};

/// The path of a part of a volume, made as a directory if it doesn't exist. Neither `..` nor a
/// symbolic link may lead out of the volume.
pub fn sub_path(volume: &Path, part: &str) -> Result<PathBuf, VolumeError> {
    let relative = Path::new(part);
    let is_inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_inside {
        return Err(VolumeError::Invalid(format!(
            "subPath {part:?} must stay in the volume"
        )));
    }
    let path = volume.join(relative);
    let volume = std::fs::canonicalize(volume).map_err(VolumeError::at(volume))?;
    // The part that exists decides where the rest would be made.
    let mut existing = path.as_path();
    while !existing.exists() {
        existing = existing.parent().unwrap_or(Path::new("/"));
    }
    let real = std::fs::canonicalize(existing).map_err(VolumeError::at(existing))?;
    if !real.starts_with(&volume) {
        return Err(VolumeError::Invalid(format!(
            "subPath {part:?} leads out of the volume"
        )));
    }
    if existing != path {
        mount::make_dir(&path, 0o750)?;
    }
    std::fs::canonicalize(&path).map_err(VolumeError::at(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_made_inside_the_volume_and_never_outside() {
        let dir = tempfile::tempdir().unwrap();
        let volume = dir.path().join("v");
        std::fs::create_dir(&volume).unwrap();
        std::os::unix::fs::symlink("/", volume.join("out")).unwrap();
        assert!(sub_path(&volume, "a/b").unwrap().ends_with("v/a/b"));
        for bad in ["../x", "/etc", "out/etc"] {
            assert!(sub_path(&volume, bad).is_err(), "{bad}");
        }
    }
}
