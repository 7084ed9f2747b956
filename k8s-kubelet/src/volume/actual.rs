//! What is mounted, as far as the agent knows; rebuilt from the disk when the agent starts.
//!
//! A directory is made before anything is mounted there and goes after it is unmounted, so whatever
//! may be mounted has a directory that tells of it. Whether it is really mounted, the plugins find out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::{
    csi::{
        data::Data,
        path::{GLOBAL_MOUNT, STAGING, target},
    },
    desired::{Device, Kind, Slot},
};

/// A volume that has been given to a pod, or perhaps only half so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) device: Option<Device>,
    /// The persistent volume, if no other pod may have it at the same time.
    pub(super) alone: Option<String>,
    /// Whether it was given completely; if that isn't known it is given again, which harms nothing.
    pub(super) is_complete: bool,
}

/// A device that has been staged, or perhaps only half so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) is_attached: bool,
    pub(super) is_complete: bool,
}

/// What is there.
#[derive(Debug, Default)]
pub(super) struct Actual {
    /// By pod uid.
    pub(super) pods: BTreeMap<String, BTreeMap<Slot, Held>>,
    pub(super) devices: BTreeMap<Device, Staged>,
}

impl Actual {
    /// What an earlier agent has left below its root directory, given all that is mounted.
    pub(super) fn scan(root: &Path, mounted: &BTreeSet<PathBuf>) -> Self {
        let mut found = Self::default();
        for (pod, dir) in entries(&root.join("pods")) {
            let held = scan_pod(&dir, mounted);
            if !held.is_empty() {
                found.pods.insert(pod, held);
            }
        }
        for (_, driver) in entries(&root.join(STAGING)) {
            for (_, dir) in entries(&driver) {
                if let Some(data) = Data::load(&dir) {
                    let staged = Staged {
                        is_attached: data.is_attached,
                        is_complete: data.is_complete && mounted.contains(&dir.join(GLOBAL_MOUNT)),
                    };
                    found.devices.insert(data.device(), staged);
                }
            }
        }
        found
    }

    /// Devices that are attached, as long as they are staged.
    pub(super) fn attached(&self) -> BTreeSet<Device> {
        let attached = self.devices.iter().filter(|(_, staged)| staged.is_attached);
        attached.map(|(device, _)| device.clone()).collect()
    }

    /// Whether any pod holds the device.
    pub(super) fn holds_device(&self, device: &Device) -> bool {
        let mut all = self.pods.values().flat_map(BTreeMap::values);
        all.any(|held| held.device.as_ref() == Some(device))
    }

    /// Whether a pod other than this one has the persistent volume to itself.
    pub(super) fn is_taken(&self, volume: &str, pod: &str) -> bool {
        let others = self.pods.iter().filter(|(other, _)| *other != pod);
        others
            .flat_map(|(_, held)| held.values())
            .any(|held| held.alone.as_deref() == Some(volume))
    }
}

/// The volumes of one pod's directory.
fn scan_pod(dir: &Path, mounted: &BTreeSet<PathBuf>) -> BTreeMap<Slot, Held> {
    let mut found = BTreeMap::new();
    for kind in Kind::ALL {
        for (plugin, dir) in entries(&dir.join(kind.directory())) {
            for (name, dir) in entries(&dir) {
                let held = Data::load(&dir).map(|data| Held {
                    is_complete: data.is_complete && mounted.contains(&dir.join(target(kind))),
                    device: (!data.is_ephemeral()).then(|| data.device()),
                    alone: data.alone,
                });
                let held = held.unwrap_or_default();
                let plugin = plugin.clone();
                found.insert(Slot { kind, plugin, name }, held);
            }
        }
    }
    found
}

fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_agent_made_is_found_again() {
        let root = tempfile::tempdir().unwrap();
        let volume = root.path().join("pods/u1/volumes/kubernetes.io~csi/pv");
        let staging = root.path().join("plugins/kubernetes.io/csi/driver/hash");
        let scratch = root
            .path()
            .join("pods/u1/volumes/kubernetes.io~empty-dir/tmp");
        let device = Device {
            driver: "driver".into(),
            handle: "h".into(),
        };
        let mut data = Data::new("pv", &device, "n1");
        data.is_attached = true;
        data.is_complete = true;
        for dir in [&volume, &staging, &scratch] {
            fs::create_dir_all(dir).unwrap();
        }
        data.save(&volume).unwrap();
        data.save(&staging).unwrap();
        let mounted = BTreeSet::from([volume.join("mount")]);
        let found = Actual::scan(root.path(), &mounted);
        let held: Vec<_> = found.pods["u1"]
            .iter()
            .map(|(slot, held)| (slot.name.as_str(), held.device.clone(), held.is_complete))
            .collect();
        let pv = ("pv", Some(device.clone()), true);
        assert_eq!(held, [pv, ("tmp", None, false)]);
        let staged = &found.devices[&device];
        assert!(
            staged.is_attached && !staged.is_complete,
            "it isn't mounted"
        );
        assert!(found.holds_device(&device));
    }
}
