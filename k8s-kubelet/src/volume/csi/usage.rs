//! What volumes of drivers take, as the drivers count.

use std::path::Path;

use super::{
    api::{NodeGetVolumeStatsRequest, VolumeUsage, volume_usage::Unit},
    client::{Capability, text},
    data::Data,
    path,
};
use crate::{
    usage::Disk,
    volume::{Host, desired::Kind},
};

/// The figures of the volume in a directory, if its driver tells any.
pub(in crate::volume) async fn usage(host: &Host, dir: &Path) -> Option<Disk> {
    let device = Data::load(dir)?.device();
    let driver = host.drivers.get(&device.driver).ok()?;
    if !driver.can(Capability::GetVolumeStats) {
        return None;
    }
    let staging = path::staging(&host.root, &device).join(path::GLOBAL_MOUNT);
    let staging = driver
        .can(Capability::StageUnstageVolume)
        .then(|| text(&staging));
    let message = NodeGetVolumeStatsRequest {
        volume_id: device.handle,
        volume_path: text(&dir.join(path::target(Kind::Filesystem))),
        staging_target_path: staging.unwrap_or_default(),
    };
    match driver.usage(message).await {
        Ok(usage) => Some(disk(&usage)),
        Err(error) => {
            tracing::debug!(%error, "a driver doesn't tell a volume's figures");
            None
        }
    }
}

fn disk(usage: &[VolumeUsage]) -> Disk {
    let mut disk = Disk::default();
    let figure = |figure: i64| u64::try_from(figure).ok();
    for usage in usage {
        match usage.unit() {
            Unit::Bytes => {
                disk.available_bytes = figure(usage.available);
                disk.capacity_bytes = figure(usage.total);
                disk.used_bytes = figure(usage.used);
            }
            Unit::Inodes => {
                disk.inodes_free = figure(usage.available);
                disk.inodes = figure(usage.total);
                disk.inodes_used = figure(usage.used);
            }
            Unit::Unknown => {}
        }
    }
    disk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_inodes_come_in_parts() {
        let part = |unit: Unit, used| VolumeUsage {
            available: 1,
            total: 3,
            used,
            unit: unit.into(),
        };
        let disk = disk(&[part(Unit::Bytes, 20), part(Unit::Inodes, 2)]);
        assert_eq!((disk.used_bytes, disk.inodes_used), (Some(20), Some(2)));
        assert_eq!((disk.capacity_bytes, disk.inodes_free), (Some(3), Some(1)));
    }
}
