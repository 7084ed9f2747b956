//! Volumes are made for the pod, or claimed: none reaches storage by itself.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod_security::{
    Subject, Violation,
    subject::text,
    violation::{Names, plural, quoted_set},
};

const ALLOWED: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Those that are told by name; what else there may be is unknown to the standard.
const RESTRICTED: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let has = |volume: &Value, source: &str| !volume[source].is_null();
    let mut names = Names::default();
    let mut types = BTreeSet::new();
    for volume in subject.volumes() {
        if ALLOWED.iter().any(|source| has(volume, source)) {
            continue;
        }
        names.push(text(&volume["name"]));
        let mut known = RESTRICTED.into_iter();
        types.insert(
            known
                .find(|source| has(volume, source))
                .unwrap_or("unknown"),
        );
    }
    (!names.is_empty()).then(|| Violation {
        reason: "restricted volume types",
        detail: format!(
            "{} {} {} {}",
            names.of("volume", "volumes"),
            names.use_(),
            plural(
                "restricted volume type",
                "restricted volume types",
                types.len()
            ),
            quoted_set(&types)
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ALLOWED, check as run};
    use crate::pod_security::testing::check;

    fn volumes(sources: &[&str]) -> Value {
        let volumes = ('a'..).zip(sources).map(|(name, source)| {
            let mut volume = json!({"name": name.to_string()});
            volume[*source] = json!({});
            volume
        });
        json!({"volumes": volumes.collect::<Vec<_>>()})
    }

    #[test]
    fn only_made_or_claimed_volumes_are_mounted() {
        check(run, volumes(&ALLOWED), "");
        check(
            run,
            volumes(&["emptyDir", "nfs"]),
            r#"restricted volume types (volume "b" uses restricted volume type "nfs")"#,
        );
        check(
            run,
            volumes(&["nfs", "hostPath", "image"]),
            r#"restricted volume types (volumes "a", "b", "c" use restricted volume types "hostPath", "nfs", "unknown")"#,
        );
    }
}
