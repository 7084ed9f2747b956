//! Where volumes of drivers lie below the agent's root directory. Pure.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::volume::desired::{Device, Kind};

/// Staged devices: `DRIVER/HASH` below it.
pub(in crate::volume) const STAGING: &str = "plugins/kubernetes.io/csi";
/// What is mounted in a staged device's directory.
pub(in crate::volume) const GLOBAL_MOUNT: &str = "globalmount";
/// The sockets by which drivers make themselves known.
pub(super) const REGISTRY: &str = "plugins_registry";

/// A staged device's directory.
pub(super) fn staging(root: &Path, device: &Device) -> PathBuf {
    root.join(STAGING)
        .join(&device.driver)
        .join(hash(&[&device.handle]))
}

/// What a driver is to make in the directory of a pod's volume.
pub(in crate::volume) fn target(kind: Kind) -> &'static str {
    match kind {
        Kind::Filesystem => "mount",
        Kind::Block => "device",
    }
}

/// The name of the object that says that a device is attached to a node.
pub(super) fn attachment(device: &Device, node: &str) -> String {
    let hash = hash(&[&device.handle, &device.driver, node]);
    format!("csi-{hash}")
}

/// What a volume that lives and ends with its pod is called before the driver.
pub(super) fn ephemeral_handle(pod_uid: &str, volume: &str) -> String {
    format!("csi-{}", hash(&[pod_uid, volume]))
}

fn hash(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_controllers_compute_too() {
        let device = Device {
            driver: "d.example".into(),
            handle: "vol".into(),
        };
        // printf 'vold.examplen1' | sha256sum
        assert_eq!(
            attachment(&device, "n1"),
            "csi-9ceaaa22049fc6ecdebba8a5ddcdba30a3f1fa27b426b272f33068ebfbbfa0bd"
        );
    }
}
