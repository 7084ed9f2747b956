//! Directories, memory file systems, binds and the mount table.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::VolumeError;

/// Makes a directory and its ancestors; the mode holds whatever the umask.
pub(crate) fn make_dir(dir: &Path, mode: u32) -> Result<(), VolumeError> {
    let made = fs::create_dir_all(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(mode)));
    made.map_err(VolumeError::at(dir))
}

/// Mounts a memory file system whose pages stay in memory, where the kernel can promise that.
pub(super) fn tmpfs(dir: &Path, mode: u32, bytes: i64) -> Result<(), VolumeError> {
    let try_with = |more: &str| {
        let options = std::ffi::CString::new(format!("mode={mode:o},size={bytes}{more}"));
        let options = options.unwrap_or_default();
        rustix::mount::mount("tmpfs", dir, "tmpfs", MountFlags::empty(), &*options)
    };
    try_with(",noswap")
        .or_else(|_| try_with(""))
        .map_err(|error| VolumeError::at(dir)(error.into()))
}

/// A directory in memory, where secrets never reach a disk.
pub(super) fn memory_dir(dir: &Path, bytes: i64) -> Result<(), VolumeError> {
    if dir.exists() && is_mounted(dir)? {
        return Ok(());
    }
    make_dir(dir, 0o777)?;
    tmpfs(dir, 0o777, bytes)
}

/// Shows a file or directory at another place that exists.
pub(super) fn bind(from: &Path, to: &Path, is_read_only: bool) -> Result<(), VolumeError> {
    let failed = |error: rustix::io::Errno| VolumeError::at(to)(error.into());
    rustix::mount::mount_bind(from, to).map_err(failed)?;
    if is_read_only {
        let flags = MountFlags::BIND | MountFlags::RDONLY;
        rustix::mount::mount_remount(to, flags, c"").map_err(failed)?;
    }
    Ok(())
}

/// Lets mounts below a directory be seen by mount namespaces made later, and theirs here.
pub(crate) fn share(dir: &Path) -> io::Result<()> {
    let real = fs::canonicalize(dir)?;
    if !is_shared(&fs::read_to_string(TABLE)?, &real) {
        rustix::mount::mount_bind_recursive(&real, &real)?;
    }
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change(&real, shared)?)
}

const TABLE: &str = "/proc/self/mountinfo";

/// Whether the last mount above a path shares its propagation.
fn is_shared(table: &str, path: &Path) -> bool {
    let above = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let point = unescape(words.get(4)?);
        let optional = words.iter().skip(6).take_while(|word| **word != "-");
        let is_shared = optional.clone().any(|word| word.starts_with("shared:"));
        path.starts_with(&point)
            .then(|| (point.components().count(), is_shared))
    });
    // Later lines lie over earlier ones.
    let nearest = above
        .enumerate()
        .max_by_key(|(line, (depth, _))| (*depth, *line));
    nearest.is_some_and(|(_, (_, is_shared))| is_shared)
}

/// Whether something is mounted on the directory itself.
pub(crate) fn is_mounted(dir: &Path) -> Result<bool, VolumeError> {
    let dir = fs::canonicalize(dir).map_err(VolumeError::at(dir))?;
    Ok(below(&dir)?.contains(&dir))
}

/// All that is mounted.
pub(super) fn all() -> Result<BTreeSet<PathBuf>, VolumeError> {
    Ok(below(Path::new("/"))?.into_iter().collect())
}

/// What is mounted on or below a path, deepest first.
pub(super) fn below(path: &Path) -> Result<Vec<PathBuf>, VolumeError> {
    let text = fs::read_to_string(TABLE).map_err(VolumeError::at(Path::new(TABLE)))?;
    let mut found: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape)
        .filter(|mounted| mounted.starts_with(path))
        .collect();
    found.reverse();
    Ok(found)
}

/// Unmounts all on or below a path.
pub(crate) fn detach(path: &Path) -> Result<(), VolumeError> {
    for mounted in below(path)? {
        rustix::mount::unmount(&mounted, UnmountFlags::DETACH)
            .map_err(|error| VolumeError::at(&mounted)(error.into()))?;
    }
    match below(path)?.first() {
        Some(left) => Err(VolumeError::Invalid(format!(
            "{} is still mounted",
            left.display()
        ))),
        None => Ok(()),
    }
}

/// Unmounts all on or below a directory and removes it. Nothing is removed while a mount remains,
/// lest what is mounted be emptied. A directory that isn't there is fine.
pub(crate) fn remove(dir: &Path) -> Result<(), VolumeError> {
    let Ok(real) = fs::canonicalize(dir) else {
        return Ok(());
    };
    detach(&real)?;
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
    fn the_nearest_mount_decides_about_propagation() {
        let table = "1 0 8:1 / / rw shared:1 - ext4 d rw\n\
                     2 1 8:2 / /var rw - ext4 d rw\n\
                     3 2 8:2 / /var/lib/x rw shared:2 master:1 - ext4 d rw";
        for (path, expected) in [
            ("/home", true),
            ("/var/lib", false),
            ("/var/lib/x/pods", true),
        ] {
            assert_eq!(is_shared(table, Path::new(path)), expected, "{path}");
        }
    }
}
