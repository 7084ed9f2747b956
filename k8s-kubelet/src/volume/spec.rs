//! One volume of a pod, with the persistent volume behind it when the pod names a claim. Pure.

use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, Container, HostPathVolumeSource, PersistentVolume,
    PersistentVolumeClaim, PersistentVolumeSpec, Pod, Volume,
};

use crate::pod::ephemeral;

/// What is to be mounted.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The volume in the pod's spec.
    pub volume: Volume,
    /// What the pod's claim is bound to.
    pub persistent: Option<Persistent>,
}

/// A bound claim and its volume.
#[derive(Clone, Debug)]
pub struct Persistent {
    /// The volume.
    pub volume: PersistentVolume,
    /// The claim.
    pub claim: PersistentVolumeClaim,
    /// Whether the pod asks for it read-only.
    pub read_only: bool,
}

/// How containers use a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) is_mounted: bool,
    pub(super) is_device: bool,
}

impl Spec {
    /// A volume that the pod's spec describes itself.
    pub fn inline(volume: &Volume) -> Self {
        Self {
            volume: volume.clone(),
            persistent: None,
        }
    }

    /// The name that directories and messages use: the persistent volume's, where there is one.
    pub fn name(&self) -> &str {
        match &self.persistent {
            Some(persistent) => persistent.volume.metadata.name.as_deref(),
            None => Some(self.volume.name.as_str()),
        }
        .unwrap_or_default()
    }

    /// The persistent volume's spec.
    pub(super) fn behind(&self) -> Option<&PersistentVolumeSpec> {
        self.persistent.as_ref()?.volume.spec.as_ref()
    }

    /// The path of the node that it shows.
    pub(super) fn host_path(&self) -> Option<&HostPathVolumeSource> {
        match &self.persistent {
            Some(_) => self.behind()?.host_path.as_ref(),
            None => self.volume.host_path.as_ref(),
        }
    }

    /// The driver's volume, of a claim.
    pub(super) fn csi(&self) -> Option<&CSIPersistentVolumeSource> {
        self.behind()?.csi.as_ref()
    }

    /// Whether containers get it as a device.
    pub fn is_block(&self) -> bool {
        let mode = self.behind().and_then(|spec| spec.volume_mode.as_deref());
        mode == Some("Block")
    }

    /// Whether the pod's volume, or what it is bound to, forbids writing.
    pub fn is_read_only(&self) -> bool {
        let inline = self.volume.csi.as_ref().and_then(|csi| csi.read_only);
        match &self.persistent {
            Some(persistent) => {
                let csi = self.csi().and_then(|csi| csi.read_only);
                persistent.read_only || csi == Some(true)
            }
            None => inline == Some(true),
        }
    }

    /// Whether only one pod may use it at a time.
    pub(super) fn is_for_one_pod(&self) -> bool {
        let modes = self.behind().and_then(|spec| spec.access_modes.as_deref());
        modes.is_some_and(|modes| modes == ["ReadWriteOncePod"])
    }

    /// The volume's size in bytes, when it is larger than the claim has been told.
    pub(super) fn growth(&self) -> Option<i64> {
        let size = self.behind()?.capacity.as_ref()?.get("storage")?;
        let size = size.0.parse::<Quantity>().ok()?.value();
        let status = self.persistent.as_ref()?.claim.status.as_ref();
        let known = status.and_then(|status| status.capacity.as_ref()?.get("storage"));
        let known = known.and_then(|known| known.0.parse::<Quantity>().ok());
        (known?.value() < size).then_some(size)
    }
}

/// The pod's volumes.
pub(super) fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
}

/// How the pod's containers use a volume.
pub(super) fn use_of(pod: &Pod, volume: &str) -> Use {
    let Some(spec) = &pod.spec else {
        return Use::default();
    };
    let ephemeral = ephemeral::containers(spec);
    let mut found = Use::default();
    let init = spec.init_containers.iter().flatten();
    for container in init.chain(&spec.containers).chain(&ephemeral) {
        let Container {
            volume_mounts,
            volume_devices,
            ..
        } = container;
        let mut mounts = volume_mounts.iter().flatten();
        found.is_mounted |= mounts.any(|mount| mount.name == volume);
        let mut devices = volume_devices.iter().flatten();
        found.is_device |= devices.any(|device| device.name == volume);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(volume: Value, claim: Value) -> Spec {
        Spec {
            volume: Volume {
                name: "data".into(),
                ..Volume::default()
            },
            persistent: Some(Persistent {
                volume: serde_json::from_value(volume).unwrap(),
                claim: serde_json::from_value(claim).unwrap(),
                read_only: false,
            }),
        }
    }

    #[test]
    fn a_volume_grows_when_it_is_larger_than_the_claim_was_told() {
        let grows = |volume: &str, claim: Value| {
            let volume =
                json!({"metadata": {"name": "pv"}, "spec": {"capacity": {"storage": volume}}});
            spec(
                volume,
                json!({"metadata": {}, "status": {"capacity": claim}}),
            )
            .growth()
        };
        assert_eq!(grows("2Gi", json!({"storage": "1Gi"})), Some(2 << 30));
        assert_eq!(grows("1Gi", json!({"storage": "1024Mi"})), None);
        assert_eq!(grows("1Gi", json!({})), None);
    }

    #[test]
    fn every_container_counts_as_a_user() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": {
            "initContainers": [{"name": "i", "volumeDevices": [{"name": "raw", "devicePath": "/dev/x"}]}],
            "containers": [{"name": "c", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "ephemeralContainers": [{"name": "e", "volumeMounts": [{"name": "late", "mountPath": "/late"}]}],
        }}))
        .unwrap();
        let (mounted, device) = (true, false);
        let used = |name| {
            let found = use_of(&pod, name);
            (found.is_mounted, found.is_device)
        };
        assert_eq!(used("data"), (mounted, device));
        assert_eq!(used("raw"), (false, true));
        assert_eq!(used("late"), (mounted, device));
        assert_eq!(used("none"), (false, false));
    }
}
