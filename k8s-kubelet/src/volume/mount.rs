//! Directories, memory file systems, ownership and the mount table.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags};

use super::VolumeError;

/// Makes a directory and its ancestors; the mode holds whatever the umask.
pub(crate) fn make_dir(dir: &Path, mode: u32) -> Result<(), VolumeError> {
    let made = fs::create_dir_all(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(mode)));
    made.map_err(VolumeError::at(dir))
}

/// Mounts a memory file system.
pub(super) fn tmpfs(dir: &Path, mode: u32, bytes: Option<i64>) -> Result<(), VolumeError> {
    let size = bytes
        .map(|bytes| format!(",size={bytes}"))
        .unwrap_or_default();
    let options = std::ffi::CString::new(format!("mode={mode:o}{size}")).unwrap_or_default();
    rustix::mount::mount(
        "tmpfs",
        dir,
        "tmpfs",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )
    .map_err(|error| VolumeError::at(dir)(error.into()))
}

/// A directory in memory, where secrets never reach a disk.
pub(super) fn memory_dir(dir: &Path) -> Result<(), VolumeError> {
    if dir.exists() && is_mounted(dir)? {
        return Ok(());
    }
    make_dir(dir, 0o777)?;
    tmpfs(dir, 0o777, None)
}

/// Gives everything below a directory to a group, which may read it, and enter directories, as its
/// owner can. New files inherit the group.
pub(super) fn own(dir: &Path, group: Option<u32>) -> Result<(), VolumeError> {
    match group {
        Some(group) => give(dir, group).map_err(VolumeError::at(dir)),
        None => Ok(()),
    }
}

fn give(path: &Path, group: u32) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if meta.gid() != group {
        lchown(path, None, Some(group))?;
    }
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    let wanted = if meta.is_dir() {
        mode | 0o2770
    } else {
        mode | (mode & 0o600) >> 3
    };
    if mode != wanted {
        fs::set_permissions(path, fs::Permissions::from_mode(wanted))?;
    }
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), group)?;
        }
    }
    Ok(())
}

/// Whether something is mounted on the directory itself.
pub(crate) fn is_mounted(dir: &Path) -> Result<bool, VolumeError> {
    let dir = fs::canonicalize(dir).map_err(VolumeError::at(dir))?;
    Ok(below(&dir)?.contains(&dir))
}

/// What is mounted on or below a path, deepest first.
pub(super) fn below(path: &Path) -> Result<Vec<PathBuf>, VolumeError> {
    let table = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(table).map_err(VolumeError::at(table))?;
    let mut found: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape)
        .filter(|mounted| mounted.starts_with(path))
        .collect();
    found.reverse();
    Ok(found)
}

/// Unmounts all on or below a directory and removes it. Nothing is removed while a mount remains,
/// lest what is mounted be emptied. A directory that isn't there is fine.
pub(crate) fn remove(dir: &Path) -> Result<(), VolumeError> {
    let Ok(real) = fs::canonicalize(dir) else {
        return Ok(());
    };
    for mounted in below(&real)? {
        rustix::mount::unmount(&mounted, UnmountFlags::DETACH)
            .map_err(|error| VolumeError::at(&mounted)(error.into()))?;
    }
    if let Some(left) = below(&real)?.first() {
        return Err(VolumeError::Invalid(format!(
            "{} is still mounted",
            left.display()
        )));
    }
    fs::remove_dir_all(&real).map_err(VolumeError::at(dir))
}

/// The table writes blanks and the like as octal.
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_table_escapes_blanks() {
        assert_eq!(unescape(r"/a\040b/c\134d"), PathBuf::from(r"/a b/c\d"));
    }

    #[test]
    fn a_group_gets_what_the_owner_has() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let group = fs::metadata(&file).unwrap().gid();
        own(dir.path(), Some(group)).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
            0o660
        );
        assert_eq!(
            fs::metadata(dir.path()).unwrap().permissions().mode() & 0o2770,
            0o2770
        );
    }
}
