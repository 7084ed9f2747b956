//! What a driver is asked for, and told about the pod. Pure, but for tokens.

use std::{collections::BTreeMap, path::Path};

use k8s_openapi::api::{
    core::v1::{Pod, SELinuxOptions},
    storage::v1::CSIDriver,
};
use serde_json::json;

use super::{
    api::{
        VolumeCapability,
        volume_capability::{AccessMode, AccessType, BlockVolume, MountVolume, access_mode::Mode},
    },
    client::{Capability, Driver},
};
use crate::volume::{Setup, Spec, VolumeError};

/// A volume as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    is_block: bool,
    access_mode: Option<String>,
    fs_type: String,
    mount_options: Vec<String>,
    /// The group that the driver itself is to give the files to.
    group: Option<i64>,
    /// Whether the driver tells one writer on a node from several.
    knows_single_writers: bool,
}

impl Asked {
    pub(super) fn new(setup: &Setup<'_>, driver: &Driver) -> Self {
        let spec = setup.spec;
        let behind = spec.behind();
        let modes = behind.and_then(|spec| spec.access_modes.as_ref());
        let options = behind.and_then(|spec| spec.mount_options.clone());
        let inline = spec.volume.csi.as_ref();
        let fs_type = match spec.csi() {
            Some(source) => source.fs_type.clone(),
            None => inline.and_then(|source| source.fs_type.clone()),
        };
        let context = setup.pod.spec.as_ref();
        let context = context.and_then(|spec| spec.security_context.as_ref());
        let group = context.and_then(|context| context.fs_group);
        let mut mount_options = options.unwrap_or_default();
        if spec.is_for_one_pod() && Path::new("/sys/fs/selinux/enforce").exists() {
            mount_options.extend(label(setup.pod));
        }
        Self {
            is_block: spec.is_block(),
            access_mode: modes.and_then(|modes| modes.first().cloned()),
            fs_type: fs_type.unwrap_or_default(),
            mount_options,
            group: group.filter(|_| driver.can(Capability::VolumeMountGroup)),
            knows_single_writers: driver.can(Capability::SingleNodeMultiWriter),
        }
    }

    pub(super) fn capability(self) -> VolumeCapability {
        let mode = self.mode().into();
        let access_type = match self.is_block {
            true => AccessType::Block(BlockVolume {}),
            false => AccessType::Mount(MountVolume {
                fs_type: self.fs_type,
                mount_flags: self.mount_options,
                volume_mount_group: self
                    .group
                    .map(|group| group.to_string())
                    .unwrap_or_default(),
            }),
        };
        VolumeCapability {
            access_mode: Some(AccessMode { mode }),
            access_type: Some(access_type),
        }
    }

    fn mode(&self) -> Mode {
        let knows = self.knows_single_writers;
        match self.access_mode.as_deref().unwrap_or("ReadWriteOnce") {
            "ReadOnlyMany" => Mode::MultiNodeReaderOnly,
            "ReadWriteMany" => Mode::MultiNodeMultiWriter,
            "ReadWriteOncePod" if knows => Mode::SingleNodeSingleWriter,
            "ReadWriteOnce" if knows => Mode::SingleNodeMultiWriter,
            _ => Mode::SingleNodeWriter,
        }
    }
}

/// The label that all files of the volume shall have, as a mount option.
fn label(pod: &Pod) -> Option<String> {
    let context = pod.spec.as_ref()?.security_context.as_ref()?;
    let SELinuxOptions {
        level,
        role,
        type_,
        user,
    } = context.se_linux_options.as_ref()?;
    let part = |part: &Option<String>, usual: &str| {
        part.clone()
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| usual.to_owned())
    };
    Some(format!(
        "context=\"{}:{}:{}:{}\"",
        part(user, "system_u"),
        part(role, "object_r"),
        part(type_, "container_file_t"),
        part(level, "s0")
    ))
}

/// Who the volume is for, if the driver wants to know.
pub(super) fn pod_info(setup: &Setup<'_>, described: &CSIDriver) -> BTreeMap<String, String> {
    if described.spec.pod_info_on_mount != Some(true) {
        return BTreeMap::new();
    }
    let meta = &setup.pod.metadata;
    let account = setup.pod.spec.as_ref();
    let account = account.and_then(|spec| spec.service_account_name.clone());
    let is_ephemeral = setup.spec.persistent.is_none();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        ("pod.name", text(&meta.name)),
        ("pod.namespace", text(&meta.namespace)),
        ("pod.uid", text(&meta.uid)),
        ("serviceAccount.name", account.unwrap_or_default()),
        ("ephemeral", is_ephemeral.to_string()),
    ]
    .map(|(key, value)| (format!("csi.storage.k8s.io/{key}"), value))
    .into()
}

/// Tokens of the pod's account, for the audiences that the driver wants.
pub(super) async fn tokens(
    setup: &Setup<'_>,
    described: &CSIDriver,
) -> Result<BTreeMap<String, String>, VolumeError> {
    let mut tokens = serde_json::Map::new();
    for request in described.spec.token_requests.iter().flatten() {
        let audience = request.audience.clone();
        let token = setup.host.tokens.lasting(
            setup.pod,
            Some(audience.clone()),
            request.expiration_seconds,
        );
        let (token, expires) = token.await?;
        let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        tokens.insert(
            audience,
            json!({"token": token, "expirationTimestamp": expires}),
        );
    }
    let key = "csi.storage.k8s.io/serviceAccount.tokens".to_owned();
    let text = serde_json::Value::Object(tokens.clone()).to_string();
    Ok((!tokens.is_empty())
        .then_some((key, text))
        .into_iter()
        .collect())
}

/// Whether the agent gives the files to the pod's group: as the driver's policy says, unless the driver does so.
pub(super) fn takes_group(spec: &Spec, described: Option<&CSIDriver>, driver: &Driver) -> bool {
    let policy = described.and_then(|described| described.spec.fs_group_policy.as_deref());
    !driver.can(Capability::VolumeMountGroup) && policy_allows(spec, policy)
}

fn policy_allows(spec: &Spec, policy: Option<&str>) -> bool {
    if spec.is_read_only() || spec.is_block() {
        return false;
    }
    match policy.unwrap_or("ReadWriteOnceWithFSType") {
        "None" => false,
        "File" => true,
        _ => {
            let inline = spec.volume.csi.as_ref();
            let fs_type = match spec.csi() {
                Some(source) => source.fs_type.as_deref(),
                None => inline.and_then(|source| source.fs_type.as_deref()),
            };
            let has_type = fs_type.is_some_and(|fs_type| !fs_type.is_empty());
            let modes = spec.behind().map(|spec| spec.access_modes.as_deref());
            // What ends with its pod has one user.
            let is_once = modes.is_none_or(|modes| {
                let mut modes = modes.into_iter().flatten();
                modes.any(|mode| mode.starts_with("ReadWriteOnce"))
            });
            has_type && is_once
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Volume;

    use super::*;
    use crate::volume::Persistent;

    #[test]
    fn drivers_that_know_single_writers_are_told_of_them() {
        let mode = |mode: &str, knows_single_writers| {
            let asked = Asked {
                access_mode: Some(mode.into()),
                knows_single_writers,
                ..Asked::default()
            };
            asked.mode()
        };
        assert_eq!(mode("ReadWriteOnce", false), Mode::SingleNodeWriter);
        assert_eq!(mode("ReadWriteOnce", true), Mode::SingleNodeMultiWriter);
        assert_eq!(mode("ReadWriteOncePod", false), Mode::SingleNodeWriter);
        assert_eq!(mode("ReadWriteOncePod", true), Mode::SingleNodeSingleWriter);
        assert_eq!(mode("ReadOnlyMany", true), Mode::MultiNodeReaderOnly);
        assert_eq!(mode("ReadWriteMany", true), Mode::MultiNodeMultiWriter);
    }

    #[test]
    fn a_file_system_of_one_writer_is_given_to_the_group_unless_the_driver_says_otherwise() {
        let spec = |modes: &[&str], fs_type: &str, read_only| Spec {
            volume: Volume::default(),
            persistent: Some(Persistent {
                volume: serde_json::from_value(json!({"metadata": {}, "spec": {
                    "accessModes": modes,
                    "csi": {"driver": "d", "volumeHandle": "h", "fsType": fs_type},
                }}))
                .unwrap(),
                claim: Default::default(),
                read_only,
            }),
        };
        let usual = spec(&["ReadWriteOnce"], "ext4", false);
        for (policy, allows) in [
            (None, true),
            (Some("ReadWriteOnceWithFSType"), true),
            (Some("File"), true),
            (Some("None"), false),
        ] {
            assert_eq!(policy_allows(&usual, policy), allows, "{policy:?}");
        }
        assert!(!policy_allows(
            &spec(&["ReadWriteMany"], "ext4", false),
            None
        ));
        assert!(policy_allows(
            &spec(&["ReadWriteMany"], "", false),
            Some("File")
        ));
        assert!(!policy_allows(&spec(&["ReadWriteOnce"], "", false), None));
        assert!(!policy_allows(
            &spec(&["ReadWriteOnce"], "ext4", true),
            Some("File")
        ));
    }
}
