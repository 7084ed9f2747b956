//! What the node's pods want mounted.

use std::collections::{BTreeMap, BTreeSet};

/// A volume that a driver brings to the node once, however many pods use it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// The driver's name.
    pub driver: String,
    /// The driver's name for the volume.
    pub handle: String,
}

impl Device {
    /// As a node's status names it.
    pub(crate) fn unique_name(&self) -> String {
        format!("kubernetes.io/csi/{}^{}", self.driver, self.handle)
    }
}

/// A volume's directory below its pod's: `kind/plugin/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    pub(super) plugin: String,
    pub(super) name: String,
}

/// Whether containers see a directory or a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Filesystem,
    Block,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Filesystem, Self::Block];

    /// The directory of all volumes of this kind, below their pod's.
    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Filesystem => "volumes",
            Self::Block => "volumeDevices",
        }
    }
}

/// A volume that a pod wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its name in the pod's spec.
    pub(super) volume: String,
    /// The claim that the pod names.
    pub(super) claim: Option<String>,
    /// The device that has to be on the node first.
    pub(super) device: Option<Device>,
    /// Whether somebody else attaches the device to the node.
    pub(super) is_attached: bool,
    /// The persistent volume, if no other pod may have it at the same time.
    pub(super) alone: Option<String>,
}

/// What all pods want.
#[derive(Debug, Default)]
pub(super) struct Desired {
    /// By pod uid.
    pub(super) pods: BTreeMap<String, BTreeMap<Slot, Wanted>>,
}

impl Desired {
    /// What any pod wants of devices that are attached.
    pub(super) fn attached(&self) -> BTreeSet<Device> {
        let all = self.pods.values().flat_map(BTreeMap::values);
        let attached = all.filter(|wanted| wanted.is_attached);
        attached
            .filter_map(|wanted| wanted.device.clone())
            .collect()
    }

    pub(super) fn wants_device(&self, device: &Device) -> bool {
        let mut all = self.pods.values().flat_map(BTreeMap::values);
        all.any(|wanted| wanted.device.as_ref() == Some(device))
    }
}
