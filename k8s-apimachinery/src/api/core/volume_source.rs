//! Sources of volumes that pods and persistent volumes have alike, or nearly so.

use crate::api::Field;

/// The fields that a source can't do without; sources with checks of their own stand beside these.
const REQUIRED: [(&str, &[&str]); 19] = [
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cephfs", &["monitors"]),
    ("cinder", &["volumeID"]),
    ("flexVolume", &["driver"]),
    ("gcePersistentDisk", &["pdName"]),
    ("gitRepo", &["repository"]),
    ("glusterfs", &["endpoints", "path"]),
    ("hostPath", &["path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("local", &["path"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("quobyte", &["registry", "volume"]),
    ("rbd", &["monitors", "image"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];

const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks a source of the given sort.
pub(super) fn check(sort: &str, source: &Field) {
    let required = REQUIRED.iter().find(|(name, _)| *name == sort);
    for field in required.map_or(&[][..], |(_, fields)| fields) {
        source.get(field).must_be_set();
    }
    match sort {
        "awsElasticBlockStore" | "gcePersistentDisk" => {
            source.get("partition").must_be_between(0, 255);
        }
        "azureDisk" => check_azure_disk(source),
        "fc" => check_fibre_channel(source),
        "flocker" => check_flocker(source),
        "hostPath" => {
            check_no_way_up(&source.get("path"));
            source.get("type").may_be_one_of(&HOST_PATH_TYPES);
        }
        "iscsi" => {
            source.get("lun").must_be_between(0, 255);
            let has_secret = source.get("secretRef").is_set();
            let chap = ["chapAuthDiscovery", "chapAuthSession"];
            if !has_secret && chap.iter().any(|field| source.get(field).is_true()) {
                source.get("secretRef").required("");
            }
        }
        "local" => check_no_way_up(&source.get("path")),
        "nfs" => {
            let path = source.get("path");
            if !path.is_empty() && !path.str().starts_with('/') {
                path.invalid("must be an absolute path");
            }
        }
        _ => {}
    }
}

fn check_no_way_up(path: &Field) {
    if path.str().split('/').any(|part| part == "..") {
        path.invalid("must not contain '..'");
    }
}

fn check_azure_disk(source: &Field) {
    source
        .get("cachingMode")
        .may_be_one_of(&["None", "ReadOnly", "ReadWrite"]);
    let (kind, uri) = (source.get("kind"), source.get("diskURI"));
    kind.may_be_one_of(&["Dedicated", "Managed", "Shared"]);
    let is_managed = kind.str() == "Managed";
    if uri.is_empty() || is_managed == uri.str().starts_with("/subscriptions/") {
        return;
    }
    uri.unsupported(match is_managed {
        true => &["/subscriptions/{sub-id}/resourceGroups/{group-name}/providers/Microsoft.Compute/disks/{disk-id}"],
        false => &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"],
    });
}

fn check_fibre_channel(source: &Field) {
    let (targets, ids, lun) = (
        source.get("targetWWNs"),
        source.get("wwids"),
        source.get("lun"),
    );
    match (targets.is_empty(), ids.is_empty()) {
        (true, true) => targets.required("must specify either targetWWNs or wwids, but not both"),
        (false, false) => {
            let shown = targets.value().cloned().unwrap_or_default();
            targets.invalid_value(
                shown,
                "targetWWNs and wwids can not be specified simultaneously",
            );
        }
        (false, true) if !lun.is_set() => {
            lun.required("lun is required if targetWWNs is specified")
        }
        (false, true) => lun.must_be_between(0, 255),
        (true, false) => {}
    }
}

fn check_flocker(source: &Field) {
    let (name, uuid) = (source.get("datasetName"), source.get("datasetUUID"));
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => source.required("one of datasetName and datasetUUID is required"),
        (false, false) => source.invalid(
            "resource field can not be specified with datasetName and datasetUUID at the same time",
        ),
        _ => {}
    }
    if name.str().contains('/') {
        name.invalid("must not contain '/'");
    }
}
