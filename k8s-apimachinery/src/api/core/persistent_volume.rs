//! PersistentVolume: storage that outlives the pods that use it.

use serde_json::{Map, Value};

use super::volume_source;
use crate::api::selector::check_node_selector_term;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;
use crate::quantity::Quantity;

/// Rules of `v1` `PersistentVolume`.
pub struct PersistentVolume;

/// The fields of a spec that name where the storage is.
const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];
const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

impl Rules for PersistentVolume {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("persistentVolumeReclaimPolicy", "Retain");
        default_spec(spec);
    }

    fn check(&self, object: &Field) {
        check_spec(&object.get("spec"), false);
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        check_source_kept(new, &spec, &old);
        new.get("volumeMode")
            .holding(&spec.get("volumeMode"))
            .must_not_change(&old.get("volumeMode"));
        let (class, old_class) = (
            spec.get("volumeAttributesClassName"),
            old.get("volumeAttributesClassName"),
        );
        if old_class.is_set() && !class.is_set() {
            class.forbidden("update from non-nil value to nil is forbidden");
        }
    }
}

/// Fills in what a volume's spec has inside a `VolumeAttachment` too.
pub(in crate::api) fn default_spec(spec: &mut Map<String, Value>) {
    spec.fill("volumeMode", "Filesystem");
    default_sources(spec);
}

/// Fills in the source among these fields: a volume's spec, or a pod's volume.
pub(super) fn default_sources(spec: &mut Map<String, Value>) {
    let mut fill = |source: &str, fields: &[(&str, Value)]| {
        if let Some(source) = spec.object(source) {
            for (field, value) in fields {
                source.fill(field, value.clone());
            }
        }
    };
    fill(
        "azureDisk",
        &[
            ("cachingMode", "ReadWrite".into()),
            ("kind", "Shared".into()),
            ("fsType", "ext4".into()),
            ("readOnly", false.into()),
        ],
    );
    fill("iscsi", &[("iscsiInterface", "default".into())]);
    fill(
        "rbd",
        &[
            ("pool", "rbd".into()),
            ("user", "admin".into()),
            ("keyring", "/etc/ceph/keyring".into()),
        ],
    );
    fill(
        "scaleIO",
        &[
            ("storageMode", "ThinProvisioned".into()),
            ("fsType", "xfs".into()),
        ],
    );
    if let Some(host_path) = spec.object("hostPath")
        && !host_path.contains_key("type")
    {
        host_path.insert("type".to_owned(), "".into());
    }
}

/// Checks a volume's spec; `inline` is one that stands inside a `VolumeAttachment`.
pub(in crate::api) fn check_spec(spec: &Field, inline: bool) {
    const INLINE: &str = "may not be specified in the context of inline volumes";
    if inline {
        for field in ["claimRef", "capacity", "nodeAffinity", "storageClassName"] {
            if !spec.get(field).is_empty() {
                spec.get(field).forbidden(INLINE);
            }
        }
        if !spec.get("csi").is_set() {
            spec.get("csi")
                .required("has to be specified in the context of inline volumes");
        }
    }
    let modes = spec.get("accessModes");
    if modes.is_empty() {
        modes.required("");
    }
    check_modes(&modes);
    let policy = spec.get("persistentVolumeReclaimPolicy");
    let mode = spec.get("volumeMode");
    if inline {
        if !matches!(policy.str(), "" | "Retain") {
            policy.forbidden("may only be Retain in the context of inline volumes");
        }
        if !matches!(mode.str(), "" | "Filesystem") {
            mode.forbidden(
                "may not specify volumeMode other than Filesystem in the context of inline volumes",
            );
        }
    } else {
        check_capacity(&spec.get("capacity"));
        policy.may_be_one_of(&["Delete", "Recycle", "Retain"]);
        mode.may_be_one_of(&["Block", "Filesystem"]);
        let class = spec.get("storageClassName");
        if !class.is_empty() {
            class.invalid_for(name::dns1123_subdomain(class.str()));
        }
        check_affinity(&spec.get("nodeAffinity"));
    }
    check_source(spec);
    check_attributes_class(spec);
}

/// Checks the access modes of a volume or a claim.
pub(super) fn check_modes(modes: &Field) {
    let is_alone = |mode: &str| mode == "ReadWriteOncePod";
    for mode in modes.items() {
        if !MODES.contains(&mode.str()) {
            modes.holding(&mode).unsupported(&MODES);
        }
    }
    let has = |alone: bool| {
        modes
            .items()
            .any(|m| MODES.contains(&m.str()) && is_alone(m.str()) == alone)
    };
    if has(true) && has(false) {
        modes.forbidden("may not use ReadWriteOncePod with other access modes");
    }
}

fn check_capacity(capacity: &Field) {
    capacity.must_be_set();
    if !capacity.key("storage").is_set() || capacity.len() > 1 {
        let shown = capacity
            .value()
            .cloned()
            .unwrap_or_else(|| Map::new().into());
        capacity.unsupported_value(shown, &["storage"]);
    }
    for (_, amount) in capacity.entries() {
        check_positive(&amount);
    }
}

/// Checks that an amount is more than nothing.
pub(super) fn check_positive(amount: &Field) {
    let quantity = amount.str().parse::<Quantity>();
    if quantity.is_ok_and(|quantity| quantity.milli_value() <= 0) {
        amount.invalid("must be greater than zero");
    }
}

fn check_affinity(affinity: &Field) {
    if !affinity.is_set() {
        return;
    }
    let required = affinity.get("required");
    if !required.is_set() {
        required.required("must specify required node constraints");
        return;
    }
    let terms = required.get("nodeSelectorTerms");
    if terms.is_empty() {
        terms.required("must have at least one node selector term");
    }
    terms
        .items()
        .for_each(|term| check_node_selector_term(&term));
}

fn check_source(spec: &Field) {
    let mut sources = SOURCES.iter().filter(|source| spec.get(source).is_set());
    let Some(sort) = sources.next() else {
        spec.required("must specify a volume type");
        return;
    };
    let source = spec.get(sort);
    volume_source::check(sort, &source);
    match *sort {
        "csi" => check_csi(&source),
        "local" if !spec.get("nodeAffinity").is_set() => {
            spec.get("nodeAffinity")
                .required("Local volume requires node affinity");
        }
        "hostPath" => {
            let policy = spec.get("persistentVolumeReclaimPolicy");
            let is_root = source.get("path").str().trim_matches('/').is_empty();
            if policy.str() == "Recycle" && is_root {
                policy.forbidden("may not be 'recycle' for a hostPath mount of '/'");
            }
        }
        _ => {}
    }
    for other in sources {
        spec.get(other)
            .forbidden("may not specify more than 1 volume type");
    }
}

fn check_csi(source: &Field) {
    check_driver_name(&source.get("driver"));
    source.get("volumeHandle").must_be_set();
    for secret in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeStageSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = source.get(secret);
        if secret.is_set() {
            secret.get("name").must_be_set();
            secret.get("namespace").must_be_set();
        }
    }
}

/// Checks the name of a CSI driver.
pub(in crate::api) fn check_driver_name(driver: &Field) {
    if !driver.must_be_set() {
        return;
    }
    if driver.str().len() > 63 {
        driver.too_long(63);
    }
    driver.invalid_for(name::dns1123_subdomain(&driver.str().to_lowercase()));
}

fn check_attributes_class(spec: &Field) {
    let class = spec.get("volumeAttributesClassName");
    if !class.is_set() {
        return;
    }
    if class.is_empty() {
        class.required("an empty string is disallowed");
    } else {
        class.invalid_for(name::dns1123_subdomain(class.str()));
    }
    if !spec.get("csi").is_set() {
        spec.get("csi")
            .required("has to be specified when using volumeAttributesClassName");
    }
}

/// Where the storage is never changes; only a secret for expansion may be added.
fn check_source_kept(new: &Field, spec: &Field, old: &Field) {
    let is_kept = |source: &&'static str| {
        let (source_now, was) = (spec.get(source), old.get(source));
        let may_add =
            |field: &str| *field == *"controllerExpandSecretRef" && !was.get(field).is_set();
        source_now.same_as(&was)
            || source_now.is_set()
                && was.is_set()
                && source_now
                    .names()
                    .chain(was.names())
                    .all(|field| may_add(field) || source_now.get(field).same_as(&was.get(field)))
    };
    if !SOURCES.iter().all(is_kept) {
        let path = new.get("spec");
        path.get("persistentvolumesource")
            .forbidden("spec.persistentvolumesource is immutable after creation");
    }
    let (affinity, was) = (spec.get("nodeAffinity"), old.get("nodeAffinity"));
    if was.is_set() && !affinity.same_as(&was) {
        new.get("nodeAffinity")
            .holding(&affinity)
            .invalid(crate::api::IMMUTABLE);
    }
}
