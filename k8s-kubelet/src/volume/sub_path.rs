//! `subPath`: mounting a part of a volume.
//!
//! Pods may write to their volumes while a container of theirs is started, so a path that was checked
//! may be another one when it is mounted. Here the part is opened once, by a call in which the kernel
//! itself refuses to leave the volume, and what is mounted is what was opened.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2},
    io::Errno,
};

use super::{Mounted, VolumeError, mount};

/// Where the parts of volumes that a pod's containers see are bound, below the pod's directory.
pub(super) const DIRECTORY: &str = "volume-subpaths";

/// Which mount of which container.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    /// The pod's directory.
    pod_dir: &'a Path,
    /// The volume's name in the pod's spec.
    volume: &'a str,
    /// The container's name.
    container: &'a str,
    /// The mount's place in the container's list.
    index: usize,
}

/// Binds a part of a volume to a place of its own and returns that; the part is made as a directory
/// if it doesn't exist.
fn bind(volume: &Path, part: &str, place: &Place<'_>) -> Result<PathBuf, VolumeError> {
    check(part)?;
    let opened = open(volume, part)?;
    let target = place
        .pod_dir
        .join(DIRECTORY)
        .join(place.volume)
        .join(place.container)
        .join(place.index.to_string());
    // A container that is started again may get another file of the same name.
    if target.exists() {
        mount::detach(&target)?;
    }
    make_target(&target, &opened)?;
    let source = format!("/proc/self/fd/{}", opened.as_raw_fd());
    mount::bind(Path::new(&source), &target, false)?;
    Ok(target)
}

/// Binds the parts of volumes that a container wants, by the mounts' places in its list.
pub(crate) fn bind_parts(
    mounted: &Mounted,
    parts: &BTreeMap<usize, (String, String)>,
    pod_dir: &Path,
    container: &str,
) -> Result<BTreeMap<usize, PathBuf>, String> {
    let mut bound = BTreeMap::new();
    for (index, (volume, part)) in parts {
        let Some(whole) = mounted.get(volume).filter(|whole| whole.image.is_none()) else {
            continue;
        };
        let place = Place {
            pod_dir,
            volume,
            container,
            index: *index,
        };
        let path = bind(&whole.path, part, &place).map_err(|error| {
            format!(
                "failed to prepare subPath for volumeMount \"{volume}\" of container \"{container}\": {error}"
            )
        })?;
        bound.insert(*index, path);
    }
    Ok(bound)
}

/// What can be told from the text alone.
fn check(part: &str) -> Result<(), VolumeError> {
    let path = Path::new(part);
    if path.is_absolute() {
        return Err(VolumeError::Invalid(format!(
            "error SubPath `{part}` must not be an absolute path"
        )));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(VolumeError::Invalid(format!(
            "unable to provision SubPath `{part}`: must not contain '..'"
        )));
    }
    Ok(())
}

/// Opens the part, making what is missing of it. Links are followed inside the volume only.
fn open(volume: &Path, part: &str) -> Result<OwnedFd, VolumeError> {
    let failed = |error: Errno| refused(volume, part, error);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(volume, flags, Mode::empty()).map_err(failed)?;
    match inside(&root, Path::new(part), OFlags::empty()) {
        Err(Errno::NOENT) => {}
        opened => return opened.map_err(failed),
    }
    // As the volume itself is.
    let mode = Mode::from_raw_mode(fstat(&root).map_err(failed)?.st_mode & 0o7777);
    let mut parent = PathBuf::from(".");
    for name in Path::new(part).components() {
        let Component::Normal(name) = name else {
            continue;
        };
        let at = inside(&root, &parent, OFlags::DIRECTORY).map_err(failed)?;
        match mkdirat(&at, name, mode) {
            Ok(()) => {
                // Whatever the umask; a link in its place isn't followed.
                let made = inside(&at, Path::new(name), OFlags::DIRECTORY | OFlags::NOFOLLOW);
                let made = made.map_err(failed)?;
                let path = format!("/proc/self/fd/{}", made.as_raw_fd());
                rustix::fs::chmod(path, mode).map_err(failed)?;
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(failed(error)),
        }
        parent.push(name);
    }
    inside(&root, &parent, OFlags::DIRECTORY).map_err(failed)
}

fn inside(root: &OwnedFd, path: &Path, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | more;
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    loop {
        match openat2(root, path, flags, Mode::empty(), within) {
            // Something on the way was renamed meanwhile, and the kernel isn't sure.
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
}

fn refused(volume: &Path, part: &str, error: Errno) -> VolumeError {
    match error {
        Errno::XDEV | Errno::LOOP => VolumeError::Invalid(format!(
            "subpath {:?} not within volume path {:?}",
            volume.join(part),
            volume
        )),
        other => VolumeError::at(&volume.join(part))(other.into()),
    }
}

/// Directories are bound to directories, anything else to files.
fn make_target(target: &Path, opened: &OwnedFd) -> Result<(), VolumeError> {
    let failed = VolumeError::at(target);
    let stat = fstat(opened).map_err(|error| VolumeError::at(target)(error.into()))?;
    let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let made = match target.parent() {
        Some(parent) => fs::create_dir_all(parent),
        None => Ok(()),
    };
    let made = made.and_then(|()| match (is_dir, target.symlink_metadata()) {
        (true, Ok(meta)) if meta.is_dir() => Ok(()),
        (false, Ok(meta)) if meta.is_file() => Ok(()),
        (true, Ok(_)) => fs::remove_file(target).and_then(|()| fs::create_dir(target)),
        (false, Ok(_)) => fs::remove_dir(target).and_then(|()| fs::write(target, [])),
        (true, Err(_)) => fs::create_dir(target),
        (false, Err(_)) => fs::write(target, []),
    });
    made.map_err(failed)
}

#[cfg(test)]
mod tests;
