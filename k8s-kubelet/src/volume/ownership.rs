//! Giving a volume's files to the pod's `fsGroup`.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::Path,
};

use k8s_openapi::api::core::v1::Pod;

use super::VolumeError;

/// What the group may do with files, whatever else their modes say: as much as their owner.
const READ_WRITE: u32 = 0o660;
const READ: u32 = 0o440;
/// Directories can be entered, and what is made in them is the group's too.
const DIRECTORY: u32 = 0o2110;

/// The group that a volume's files are given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ownership {
    group: u32,
    /// Only if the volume's root isn't the group's already: volumes with many files take long.
    is_lazy: bool,
    mask: u32,
}

impl Ownership {
    /// As the pod's security context says, of files that containers may write.
    pub(super) fn of_pod(pod: &Pod) -> Option<Self> {
        let context = pod.spec.as_ref()?.security_context.as_ref()?;
        let policy = context.fs_group_change_policy.as_deref();
        Some(Self {
            group: u32::try_from(context.fs_group?).ok()?,
            is_lazy: policy == Some("OnRootMismatch"),
            mask: READ_WRITE,
        })
    }

    /// The same, of files that the agent alone writes, all of them each time.
    pub(super) fn to_read(self) -> Self {
        Self {
            mask: READ,
            is_lazy: false,
            ..self
        }
    }

    /// Gives everything on or below a path to the group.
    pub(super) fn apply(self, path: &Path) -> Result<(), VolumeError> {
        if self.is_lazy && self.is_applied(path) {
            return Ok(());
        }
        self.give(path).map_err(VolumeError::at(path))
    }

    fn is_applied(self, path: &Path) -> bool {
        let wanted = self.mask | DIRECTORY;
        fs::metadata(path).is_ok_and(|meta| {
            meta.gid() == self.group && meta.permissions().mode() & wanted == wanted
        })
    }

    /// The root comes last, so that a walk that was broken off is begun again.
    fn give(self, path: &Path) -> io::Result<()> {
        let meta = fs::symlink_metadata(path)?;
        if meta.is_dir() {
            for entry in fs::read_dir(path)? {
                self.give(&entry?.path())?;
            }
        }
        if meta.gid() != self.group {
            lchown(path, None, Some(self.group))?;
        }
        if meta.is_symlink() {
            return Ok(());
        }
        let directory = if meta.is_dir() { DIRECTORY } else { 0 };
        let mode = meta.permissions().mode();
        // Giving a file away takes such bits off it.
        if mode | self.mask | directory != mode || meta.gid() != self.group {
            let wanted = fs::Permissions::from_mode(mode | self.mask | directory);
            fs::set_permissions(path, wanted)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership(dir: &Path) -> Ownership {
        Ownership {
            group: fs::metadata(dir).unwrap().gid(),
            is_lazy: false,
            mask: READ_WRITE,
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_group_gets_what_the_owner_has() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        for (mask, before, after) in [
            (READ_WRITE, 0o600, 0o660),
            (READ_WRITE, 0o440, 0o660),
            (READ, 0o400, 0o440),
            (READ, 0o644, 0o644),
        ] {
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(before)).unwrap();
            let ownership = Ownership {
                mask,
                ..ownership(dir.path())
            };
            ownership.apply(dir.path()).unwrap();
            assert_eq!(mode(&file), after, "{before:o}");
            assert_eq!(mode(dir.path()) & DIRECTORY, DIRECTORY);
        }
    }

    #[test]
    fn a_root_that_matches_spares_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        let always = ownership(dir.path());
        let lazy = Ownership {
            is_lazy: true,
            ..always
        };
        lazy.apply(dir.path()).unwrap();
        let file = dir.path().join("late");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        lazy.apply(dir.path()).unwrap();
        assert_eq!(mode(&file), 0o600);
        always.apply(dir.path()).unwrap();
        assert_eq!(mode(&file), 0o660);
    }

    #[test]
    fn links_are_not_followed() {
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        ownership(dir.path()).apply(dir.path()).unwrap();
        assert_eq!(mode(outside.path()), 0o600);
    }
}
