//! PersistentVolume: storage that outlives the pods that use it.

use serde_json::{Map, Value};

use super::volume_source::{self, Holder};
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
        let metadata = object.get("metadata");
        check_spec(&object.get("spec"), metadata.get("name").str(), false);
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

/// Checks the spec of the volume `name`; `inline` is one that stands inside a `VolumeAttachment`.
pub(in crate::api) fn check_spec(spec: &Field, name: &str, inline: bool) {
    if inline {
        for field in ["claimRef", "capacity"] {
            refuse_inline(&spec.get(field));
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
    let (policy, affinity) = (
        spec.get("persistentVolumeReclaimPolicy"),
        spec.get("nodeAffinity"),
    );
    if inline {
        if !matches!(policy.str(), "" | "Retain") {
            policy.forbidden("may only be Retain in the context of inline volumes");
        }
        refuse_inline(&affinity);
    } else {
        check_capacity(&spec.get("capacity"));
        policy.may_be_one_of(&["Delete", "Recycle", "Retain"]);
        check_affinity(&affinity);
    }
    check_source(spec, name);
    check_class_and_mode(spec, inline);
    check_attributes_class(spec);
}

fn refuse_inline(field: &Field) {
    if !field.is_empty() {
        field.forbidden("may not be specified in the context of inline volumes");
    }
}

fn check_class_and_mode(spec: &Field, inline: bool) {
    let (class, mode) = (spec.get("storageClassName"), spec.get("volumeMode"));
    if inline {
        refuse_inline(&class);
        if !matches!(mode.str(), "" | "Filesystem") {
            mode.forbidden(
                "may not specify volumeMode other than Filesystem in the context of inline volumes",
            );
        }
        return;
    }
    if !class.is_empty() {
        class.invalid_for(name::dns1123_subdomain(class.str()));
    }
    mode.may_be_one_of(&["Block", "Filesystem"]);
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
        check_basic(&amount);
        check_positive(&amount);
    }
}

/// Checks that an amount isn't less than nothing.
pub(super) fn check_basic(amount: &Field) {
    let value = amount
        .str()
        .parse::<Quantity>()
        .map_or(0, |amount| amount.value());
    if value < 0 {
        amount.invalid_value(value, "must be a valid resource quantity");
    }
}

/// Checks that an amount is more than nothing.
pub(super) fn check_positive(amount: &Field) {
    let quantity = amount.str().parse::<Quantity>();
    if quantity.is_ok_and(|quantity| quantity.is_negative() || quantity.is_zero()) {
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

fn check_source(spec: &Field, name: &str) {
    let mut sources = SOURCES.iter().filter(|source| spec.get(source).is_set());
    let first = sources.next();
    if let Some(sort) = first {
        let source = spec.get(sort);
        // Kubernetes' own spelling of one of them.
        let shown = spec.get("persistentDisk");
        match *sort {
            "csi" => check_csi(&source),
            "gcePersistentDisk" => {
                volume_source::check(
                    sort,
                    &shown.holding(&source),
                    Holder::PersistentVolume(name),
                );
            }
            sort => volume_source::check(sort, &source, Holder::PersistentVolume(name)),
        }
        if *sort == "local" && !spec.get("nodeAffinity").is_set() {
            spec.get("nodeAffinity")
                .required("Local volume requires node affinity");
        }
    }
    for other in sources {
        let shown = match *other {
            "cephfs" => "cephFS",
            other => other,
        };
        spec.get(shown)
            .forbidden("may not specify more than 1 volume type");
    }
    if first.is_none() {
        spec.required("must specify a volume type");
    }
    let (path, policy) = (
        spec.get("hostPath"),
        spec.get("persistentVolumeReclaimPolicy"),
    );
    let path = path.get("path").str();
    let is_root = path.starts_with('/') && path.split('/').all(|step| matches!(step, "" | "."));
    if is_root && policy.str() == "Recycle" {
        policy.forbidden("may not be 'recycle' for a hostPath mount of '/'");
    }
}

fn check_csi(source: &Field) {
    check_driver_name(&source.get("driver"));
    source.get("volumeHandle").must_be_set();
    for secret in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = source.get(secret);
        if secret.is_set() {
            let (name, namespace) = (secret.get("name"), secret.get("namespace"));
            if name.must_be_set() {
                name.invalid_for(name::dns1123_subdomain(name.str()));
            }
            if namespace.must_be_set() {
                namespace.invalid_for(name::dns1123_label(namespace.str()));
            }
        }
    }
}

/// Checks the name of a CSI driver.
pub(in crate::api) fn check_driver_name(driver: &Field) {
    driver.must_be_set();
    if driver.str().len() > 63 {
        driver.too_long(63);
    }
    for message in name::dns1123_subdomain(&driver.str().to_lowercase()) {
        driver.invalid_value(driver.str(), message);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use serde_json::json;

    fn volume(fields: Value) -> Object {
        let mut spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        cluster_wide(json!({"spec": spec}))
    }

    fn csi(fields: Value) -> Object {
        let mut source = json!({"driver": "d.example.com", "volumeHandle": "h"});
        for (field, value) in fields.as_object().into_iter().flatten() {
            source[field] = value.clone();
        }
        volume(json!({"csi": source}))
    }

    #[test]
    fn a_volume_is_somewhere_and_of_some_size() {
        check_create(&PersistentVolume, csi(json!({})), &[]);
        check_create(
            &PersistentVolume,
            volume(json!({"capacity": {"storage": "-1"}})),
            &[
                "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
                r#"spec.capacity[storage]: Invalid value: "-1": must be greater than zero"#,
                "spec: Required value: must specify a volume type",
            ],
        );
        check_create(
            &PersistentVolume,
            volume(json!({"local": {"path": "/a"}, "nfs": {"server": "s", "path": "/"}})),
            &["spec.local: Forbidden: may not specify more than 1 volume type"],
        );
    }

    #[test]
    fn secrets_are_named_with_their_namespace() {
        let secret =
            |name: &str| json!({"controllerPublishSecretRef": {"name": name, "namespace": "n"}});
        check_create(&PersistentVolume, csi(secret("s")), &[]);
        check_create(
            &PersistentVolume,
            csi(json!({"nodeExpandSecretRef": {"name": "s"}})),
            &["spec.csi.nodeExpandSecretRef.namespace: Required value"],
        );
    }

    #[test]
    fn the_root_of_a_host_is_not_recycled() {
        let path = |path: &str| {
            let source = json!({"path": path});
            volume(json!({"hostPath": source, "persistentVolumeReclaimPolicy": "Recycle"}))
        };
        check_create(&PersistentVolume, path("/tmp"), &[]);
        check_create(
            &PersistentVolume,
            path("/./"),
            &[
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
            ],
        );
    }

    #[test]
    fn the_source_stays() {
        let secret = json!({"controllerExpandSecretRef": {"name": "s", "namespace": "n"}});
        check_update(&PersistentVolume, csi(json!({})), csi(secret.clone()), &[]);
        let moved = "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation";
        check_update(&PersistentVolume, csi(secret), csi(json!({})), &[moved]);
        check_update(
            &PersistentVolume,
            csi(json!({})),
            csi(json!({"volumeHandle": "i"})),
            &[moved],
        );
    }

    #[test]
    fn where_a_volume_can_be_used_is_said_once() {
        let on = |node: &str| {
            let term =
                json!({"matchExpressions": [{"key": "node", "operator": "In", "values": [node]}]});
            let mut object = csi(json!({}));
            let affinity = json!({"required": {"nodeSelectorTerms": [term]}});
            object.set(&["spec", "nodeAffinity"], affinity);
            object
        };
        check_update(&PersistentVolume, csi(json!({})), on("a"), &[]);
        let faults = PersistentVolume.validate_update(&on("b"), &on("a"));
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].field, "nodeAffinity");
    }
}
