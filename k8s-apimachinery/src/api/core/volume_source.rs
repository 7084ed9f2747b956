//! Sources of volumes that pods and persistent volumes have alike, or nearly so.

use crate::api::Field;
use crate::name;

/// The fields that a source can't do without; sources with checks of their own stand beside these.
const REQUIRED: [(&str, &[&str]); 16] = [
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
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
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

/// Whose source it is.
#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    /// A pod's own volume.
    Pod,
    /// A persistent volume of this name, whose secrets may be in any namespace.
    PersistentVolume(&'a str),
}

/// Checks a source of the given sort.
pub(super) fn check(sort: &str, source: &Field, holder: Holder) {
    let required = REQUIRED.iter().find(|(name, _)| *name == sort);
    for field in required.map_or(&[][..], |(_, fields)| fields) {
        source.get(field).must_be_set();
    }
    let secret = source.get("secretRef");
    match sort {
        "awsElasticBlockStore" | "gcePersistentDisk" => {
            source.get("partition").must_be_between(0, 255);
        }
        "azureDisk" => check_azure_disk(source),
        "azureFile" => {
            let namespace = source.get("secretNamespace");
            if namespace.is_set() {
                namespace.must_be_set();
            }
        }
        "cinder" => check_secret(&secret, holder),
        "fc" => check_fibre_channel(source),
        "flexVolume" => check_options(&source.get("options")),
        "flocker" => check_flocker(source),
        "glusterfs" => check_endpoints_namespace(&source.get("endpointsNamespace")),
        "hostPath" => {
            check_no_way_up(&source.get("path"));
            source.get("type").may_be_one_of(&HOST_PATH_TYPES);
        }
        "iscsi" => check_iscsi(source, holder),
        "local" => {
            let path = source.get("path");
            if path.must_be_set() {
                check_no_way_up(&path);
            }
        }
        "nfs" => {
            let path = source.get("path");
            if !path.str().starts_with('/') {
                path.invalid_value(path.str(), "must be an absolute path");
            }
        }
        "quobyte" => check_quobyte(source),
        "storageos" => {
            let (volume, namespace) = (source.get("volumeName"), source.get("volumeNamespace"));
            if volume.must_be_set() {
                volume.invalid_for(name::dns1123_label(volume.str()));
            }
            if !namespace.is_empty() {
                namespace.invalid_for(name::dns1123_label(namespace.str()));
            }
            check_secret(&secret, holder);
        }
        _ => {}
    }
}

/// A secret is named; from outside a namespace, with its own.
fn check_secret(secret: &Field, holder: Holder) {
    if !secret.is_set() {
        return;
    }
    secret.get("name").must_be_set();
    if matches!(holder, Holder::PersistentVolume(_)) {
        secret.get("namespace").must_be_set();
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
    let (start, form) = match kind.str() {
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => (
            "https://",
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        ),
    };
    if !uri.str().starts_with(start) {
        uri.unsupported(&[form]);
    }
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
            targets.invalid("targetWWNs and wwids can not be specified simultaneously");
        }
        _ => {}
    }
    if targets.is_empty() {
        return;
    }
    if lun.is_set() {
        lun.must_be_between(0, 255);
    } else {
        lun.required("lun is required if targetWWNs is specified");
    }
}

/// Options for a driver don't use names that are Kubernetes' own.
fn check_options(options: &Field) {
    for (key, option) in options.entries() {
        let domain = key.split_once('/').map_or(key, |(domain, _)| domain);
        let dotted = format!(".{}", domain.to_lowercase());
        if [".kubernetes.io", ".k8s.io"]
            .iter()
            .any(|own| dotted.ends_with(own))
        {
            option.invalid_value(key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

fn check_flocker(source: &Field) {
    let (name, uuid) = (source.get("datasetName"), source.get("datasetUUID"));
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => source.required("one of datasetName and datasetUUID is required"),
        (false, false) => source.invalid_value(
            "resource",
            "datasetName and datasetUUID can not be specified simultaneously",
        ),
        _ => {}
    }
    if name.str().contains('/') {
        name.invalid("must not contain '/'");
    }
}

fn check_endpoints_namespace(namespace: &Field) {
    if !namespace.is_set() {
        return;
    }
    if namespace.is_empty() {
        namespace.invalid("if the endpointnamespace is set, it must be a valid namespace name");
    } else {
        namespace.invalid_for(name::dns1123_label(namespace.str()));
    }
}

fn check_iscsi(source: &Field, holder: Holder) {
    const TOGETHER: usize = 64;
    let (portal, initiator) = (source.get("targetPortal"), source.get("initiatorName"));
    portal.must_be_set();
    if let Holder::PersistentVolume(name) = holder
        && initiator.is_set()
        && name.len() + 1 + portal.str().len() > TOGETHER
    {
        // Kubernetes' own spelling of the field, here and below.
        source.get("targetportal").holding(&portal).invalid("Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.");
    }
    let iqn = source.get("iqn");
    if iqn.must_be_set() {
        check_initiator(&iqn, holder);
    }
    source.get("lun").must_be_between(0, 255);
    let (secret, mut chap) = (
        source.get("secretRef"),
        ["chapAuthDiscovery", "chapAuthSession"].into_iter(),
    );
    if !secret.is_set() && chap.any(|field| source.get(field).is_true()) {
        secret.required("");
    }
    if secret.is_set() && matches!(holder, Holder::PersistentVolume(_)) {
        secret.get("name").must_be_set();
    }
    if initiator.is_set() {
        check_initiator(&source.get("initiatorname").holding(&initiator), holder);
    }
}

/// Checks the name of an end of an iSCSI session, which is of one of three forms.
fn check_initiator(field: &Field, holder: Holder) {
    let text = field.str();
    let has_digits = |rest: &str, length| {
        rest.len() == length && rest.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    // One character, whatever it is, parts the form from what is behind it.
    let behind = |form: &str| {
        let rest = text.strip_prefix(form)?;
        let mut rest = rest.chars();
        rest.next()?;
        Some(rest.as_str())
    };
    let is_formed = match text.get(..3) {
        Some("iqn") => is_qualified(text),
        Some("eui") => behind("eui").is_some_and(|rest| has_digits(rest, 16)),
        Some("naa") => behind("naa").is_some_and(|rest| has_digits(rest, 32)),
        _ => {
            return field.invalid(match holder {
                Holder::Pod => "must be valid format starting with iqn, eui, or naa",
                Holder::PersistentVolume(_) => "must be valid format",
            });
        }
    };
    if !is_formed {
        field.invalid("must be valid format");
    }
}

/// Whether a name ends like `iqn.2001-04.com.example:storage.disk1`: a month, a domain, and what its owner says.
fn is_qualified(text: &str) -> bool {
    let is_domain = |text: &str| {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
        !text.is_empty() && text.bytes().all(is_allowed)
    };
    let is_date = |text: &str| {
        let digits =
            |text: &str, length| text.len() == length && text.bytes().all(|c| c.is_ascii_digit());
        let parts = text.split_once('-');
        parts.is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
    };
    let is_rest = |text: &str| {
        let is_banned = |c: char| ",;*&$|".contains(c) || c.is_ascii_whitespace();
        !text.is_empty() && !text.contains(is_banned)
    };
    let Some((head, rest)) = text
        .strip_prefix("iqn.")
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let Some((date, domain)) = head.split_once('.') else {
        return false;
    };
    is_date(date) && is_domain(domain) && is_rest(rest)
}

fn check_quobyte(source: &Field) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let (registry, tenant) = (source.get("registry"), source.get("tenant"));
    let is_pair = |text: &str| {
        text.rsplit_once(':')
            .is_some_and(|(host, _)| !host.contains(':'))
    };
    if registry.is_empty() {
        registry.required(PAIRS);
    } else if tenant.str().len() >= 65 {
        tenant.required("must be a UUID and may not exceed a length of 64 characters");
    } else {
        for _ in registry.str().split(',').filter(|pair| !is_pair(pair)) {
            registry.invalid(PAIRS);
        }
    }
    source.get("volume").must_be_set();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    const POD: Holder = Holder::Pod;
    const VOLUME: Holder = Holder::PersistentVolume("v");

    #[track_caller]
    fn check_source(sort: &str, source: Value, holder: Holder, want: &[&str]) {
        let faults = collect(&object(json!({ "s": source })), |root| {
            check(sort, &root.get("s"), holder);
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn ends_of_iscsi_sessions_have_one_of_three_forms() {
        let disk = |iqn: &str| json!({"targetPortal": "10.0.0.1:3260", "iqn": iqn, "lun": 0});
        for good in [
            "iqn.2001-04.com.example:storage.disk1",
            "eui.0123456789abcdef",
            "naa.0123456789abcdef0123456789abcdef",
        ] {
            check_source("iscsi", disk(good), POD, &[]);
        }
        for bad in [
            "iqn.2001-04.com.example",
            "iqn.2001-4.com.example:x",
            "eui.012",
            "naa",
        ] {
            let want = format!("s.iqn: Invalid value: {bad:?}: must be valid format");
            check_source("iscsi", disk(bad), POD, &[&want]);
        }
        check_source(
            "iscsi",
            disk("disk"),
            POD,
            &[
                r#"s.iqn: Invalid value: "disk": must be valid format starting with iqn, eui, or naa"#,
            ],
        );
    }

    #[test]
    fn secrets_of_persistent_volumes_say_where_they_are() {
        let disk = json!({"volumeID": "d", "secretRef": {"name": "s"}});
        check_source("cinder", disk.clone(), POD, &[]);
        check_source(
            "cinder",
            disk,
            VOLUME,
            &["s.secretRef.namespace: Required value"],
        );
        check_source(
            "azureFile",
            json!({"secretName": "s", "shareName": "t", "secretNamespace": ""}),
            VOLUME,
            &["s.secretNamespace: Required value"],
        );
    }

    #[test]
    fn options_are_not_kubernetes_own() {
        let options = |key: &str| json!({"driver": "d", "options": {key: "x"}});
        check_source("flexVolume", options("example.com/a"), POD, &[]);
        check_source(
            "flexVolume",
            options("storage.k8s.io/a"),
            POD,
            &[
                r#"s.options[storage.k8s.io/a]: Invalid value: "storage.k8s.io/a": kubernetes.io and k8s.io namespaces are reserved"#,
            ],
        );
    }

    #[test]
    fn registries_are_hosts_with_ports() {
        let at = |registry: &str| json!({"registry": registry, "volume": "v"});
        check_source("quobyte", at("a:1,b:2"), POD, &[]);
        check_source(
            "quobyte",
            at("a:1,b"),
            POD,
            &[
                r#"s.registry: Invalid value: "a:1,b": must be a host:port pair or multiple pairs separated by commas"#,
            ],
        );
    }

    #[test]
    fn disks_lie_where_their_kind_says() {
        let disk = |kind: &str, uri: &str| json!({"diskName": "d", "kind": kind, "diskURI": uri});
        check_source("azureDisk", disk("Managed", "/subscriptions/s"), POD, &[]);
        check_source("azureDisk", disk("Shared", "https://a/b.vhd"), POD, &[]);
        check_source(
            "azureDisk",
            disk("Shared", "/subscriptions/s"),
            POD,
            &[
                r#"s.diskURI: Unsupported value: "/subscriptions/s": supported values: "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd""#,
            ],
        );
    }
}
