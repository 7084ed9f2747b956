//! Mounts that a killed process left behind.

use std::{fs, io, path::Path};

use rustix::mount::{UnmountFlags, unmount};

/// Detaches every mount at or below `directory`, innermost first.
pub(crate) fn detach_below(directory: &Path) -> io::Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let mut points: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .collect();
    points.retain(|point| Path::new(point).starts_with(directory));
    for point in points.iter().rev() {
        unmount(*point, UnmountFlags::DETACH)?;
    }
    Ok(())
}
