//! A volume: a directory, or a file behind a loop device, with a size beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};

/// The size of volumes that nobody has grown.
const SIZE: i64 = 1 << 20;

/// One volume's place.
pub(crate) struct Volume {
    root: PathBuf,
}

impl Volume {
    pub(crate) fn open(data: &Path, handle: &str) -> io::Result<Self> {
        let root = data.join("volumes").join(handle);
        fs::create_dir_all(root.join("files"))?;
        Ok(Self { root })
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(crate) fn size(&self) -> i64 {
        let text = fs::read_to_string(self.root.join("size")).unwrap_or_default();
        text.parse().unwrap_or(SIZE)
    }

    pub(crate) fn grow(&self, size: i64) -> io::Result<()> {
        fs::write(self.root.join("size"), size.to_string())
    }

    /// Bytes and files.
    pub(crate) fn used(&self) -> (i64, i64) {
        let entries = fs::read_dir(self.files()).into_iter().flatten().flatten();
        let sizes = entries.filter_map(|entry| entry.metadata().ok());
        sizes.fold((0, 0), |(bytes, files), meta| {
            (
                bytes + i64::try_from(meta.len()).unwrap_or_default(),
                files + 1,
            )
        })
    }

    /// The loop device in front of the volume's file.
    pub(crate) fn device(&self) -> io::Result<PathBuf> {
        let file = self.root.join("image");
        if !file.exists() {
            fs::File::create(&file)?.set_len(SIZE.unsigned_abs())?;
        }
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&file)
            .output()?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
            false => Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            )),
        }
    }

    /// Gives back the loop devices in front of the volume's file.
    pub(crate) fn release(&self) -> io::Result<()> {
        let file = self.root.join("image");
        if !file.exists() {
            return Ok(());
        }
        let output = Command::new("losetup")
            .arg("--associated")
            .arg(&file)
            .output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let device = line.split(':').next().unwrap_or_default();
            Command::new("losetup")
                .args(["--detach", device])
                .status()?;
        }
        Ok(())
    }

    pub(crate) fn delete(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }
}

/// Shows a file or directory at a target, which is made; does nothing if something is shown there.
pub(crate) fn show(from: &Path, target: &Path, is_read_only: bool) -> io::Result<()> {
    if is_mounted(target)? {
        return Ok(());
    }
    match from.is_dir() {
        true => fs::create_dir_all(target)?,
        false => fs::write(target, [])?,
    }
    mount_bind(from, target)?;
    if is_read_only {
        mount_remount(target, MountFlags::BIND | MountFlags::RDONLY, c"")?;
    }
    Ok(())
}

/// Takes it away again.
pub(crate) fn hide(target: &Path) -> io::Result<()> {
    while is_mounted(target)? {
        unmount(target, UnmountFlags::empty())?;
    }
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() => fs::remove_dir(target),
        Ok(_) => fs::remove_file(target),
        Err(_) => Ok(()),
    }
}

fn is_mounted(target: &Path) -> io::Result<bool> {
    let Ok(real) = target.canonicalize() else {
        return Ok(false);
    };
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let mut points = table.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.any(|point| Path::new(point) == real))
}
