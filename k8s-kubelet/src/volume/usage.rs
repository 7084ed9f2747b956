//! What the volumes behind claims take.

use std::path::Path;

use super::{
    Host, csi,
    desired::{Slot, Wanted},
};
use crate::usage::Disk;

/// A claim's volume and its figures.
#[derive(Clone, Debug)]
pub(crate) struct VolumeUsage {
    /// The volume's name in the pod's spec.
    pub(crate) name: String,
    /// The claim, in the pod's namespace.
    pub(crate) claim: Option<String>,
    pub(crate) disk: Disk,
}

/// The figures of what is mounted in a directory: drivers are asked, file systems looked at.
pub(super) async fn look(
    host: &Host,
    slot: &Slot,
    dir: &Path,
    wanted: Wanted,
) -> Option<VolumeUsage> {
    let disk = match slot.plugin == csi::NAME {
        true => csi::usage(host, dir).await?,
        // Others don't mount what they show of a claim.
        false if wanted.claim.is_some() && dir.exists() => file_system(dir)?,
        false => return None,
    };
    Some(VolumeUsage {
        name: wanted.volume,
        claim: wanted.claim,
        disk,
    })
}

fn file_system(dir: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| Some(blocks.saturating_mul(found.f_frsize));
    Some(Disk {
        available_bytes: bytes(found.f_bavail),
        capacity_bytes: bytes(found.f_blocks),
        used_bytes: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
        inodes_free: Some(found.f_ffree),
        inodes: Some(found.f_files),
        inodes_used: Some(found.f_files.saturating_sub(found.f_ffree)),
        ..Disk::default()
    })
}
