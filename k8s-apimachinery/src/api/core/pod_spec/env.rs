//! Environment variables of containers.

use serde_json::{Map, Value};

use crate::api::core::config_map::check_key;
use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::quantity::Quantity;

const PRINTABLE: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";
const ONE_AT_A_TIME: &str = "may not have more than one field specified at a time";
const SOURCES: [&str; 5] = [
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
];

/// Fields of the pod that a variable may show.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fills in one variable.
pub(super) fn default(variable: &mut Map<String, Value>) {
    if let Some(from) = variable.object("valueFrom") {
        from.object("fieldRef")
            .into_iter()
            .for_each(default_field_ref);
        if let Some(resource) = from.object("resourceFieldRef") {
            resource.fill("divisor", "0");
        }
        if let Some(file) = from.object("fileKeyRef") {
            file.fill("optional", false);
        }
    }
}

/// Fills in a reference to one of the pod's fields.
pub(super) fn default_field_ref(field_ref: &mut Map<String, Value>) {
    field_ref.fill("apiVersion", "v1");
}

/// Checks `env` and `envFrom` of a container.
pub(super) fn check(container: &Field) {
    for variable in container.get("env").items() {
        let name = variable.get("name");
        if name.must_be_set() {
            check_name(&name);
        }
        let from = variable.get("valueFrom");
        if from.is_set() {
            check_source(&from, !variable.get("value").is_empty());
        }
    }
    for source in container.get("envFrom").items() {
        check_bulk_source(&source);
    }
}

fn check_name(name: &Field) {
    let is_allowed = |c: u8| (b' '..=b'~').contains(&c) && c != b'=';
    if !name.str().bytes().all(is_allowed) {
        name.invalid(PRINTABLE);
    }
}

fn check_source(from: &Field, has_value: bool) {
    match SOURCES.iter().filter(|source| from.get(source).is_set()).count() {
        0 => from.invalid_value("", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"),
        _ if has_value => from.invalid_value("", "may not be specified when `value` is not empty"),
        1 => {}
        _ => from.invalid_value("", ONE_AT_A_TIME),
    }
    let field_ref = from.get("fieldRef");
    if field_ref.is_set() {
        check_field_ref(&field_ref, &FIELDS);
    }
    let resource_ref = from.get("resourceFieldRef");
    if resource_ref.is_set() {
        check_resource_ref(&resource_ref);
    }
    for key_ref in ["configMapKeyRef", "secretKeyRef"] {
        let key_ref = from.get(key_ref);
        if !key_ref.is_set() {
            continue;
        }
        let name = key_ref.get("name");
        for message in crate::name::dns1123_subdomain(name.str()) {
            name.invalid_value(name.str(), message);
        }
        let key = key_ref.get("key");
        if key.must_be_set() {
            check_key(&key, key.str());
        }
    }
}

/// Checks a reference to one of the pod's own fields. `fields` are those that may be shown, beside
/// single labels and annotations.
pub(super) fn check_field_ref(field_ref: &Field, fields: &[&str]) {
    field_ref.get("apiVersion").must_be_set();
    let path = field_ref.get("fieldPath");
    if !path.must_be_set() || fields.contains(&path.str()) {
        return;
    }
    let subscript = path
        .str()
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"));
    match subscript {
        Some(("metadata.labels" | "metadata.annotations", key)) => {
            for message in crate::name::qualified_name(&key.to_lowercase()) {
                path.invalid_value(key, message);
            }
        }
        _ if path.str().contains('[') => {
            path.invalid("error converting fieldPath: field label does not support subscript");
        }
        _ => path.invalid(format!(
            "error converting fieldPath: field label not supported: {}",
            path.str()
        )),
    }
}

/// Checks a reference to the resources of a container.
pub(super) fn check_resource_ref(resource_ref: &Field) {
    const RESOURCES: [&str; 6] = [
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
    ];
    let resource = resource_ref.get("resource");
    if !resource.must_be_set() {
        return;
    }
    let is_huge_pages = ["limits.hugepages-", "requests.hugepages-"]
        .iter()
        .any(|p| resource.str().starts_with(p));
    if !is_huge_pages && !RESOURCES.contains(&resource.str()) {
        resource.unsupported(&RESOURCES);
        return;
    }
    check_divisor(&resource_ref.get("divisor"), resource.str());
}

/// The units in which a resource may be shown.
fn check_divisor(divisor: &Field, resource: &str) {
    const CPU: [&str; 2] = ["1m", "1"];
    const BYTES: [&str; 13] = [
        "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
    ];
    let Ok(unit) = divisor.str().parse::<Quantity>() else {
        return;
    };
    let (_, sort) = resource.split_once('.').unwrap_or_default();
    let (units, list, name) = match sort {
        "cpu" => (&CPU[..], "1m and 1", "cpu"),
        "ephemeral-storage" => (&BYTES[..], BYTE_UNITS, "local ephemeral storage"),
        "memory" => (&BYTES[..], BYTE_UNITS, "memory"),
        _ => (&BYTES[..], BYTE_UNITS, "hugepages"),
    };
    if !unit.is_zero() && !units.contains(&unit.to_string().as_str()) {
        divisor.invalid_value(
            resource,
            format!("only divisor's values {list} are supported with the {name} resource"),
        );
    }
}

const BYTE_UNITS: &str = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";

fn check_bulk_source(source: &Field) {
    let prefix = source.get("prefix");
    if !prefix.is_empty() {
        check_name(&prefix);
    }
    let refs = [source.get("configMapRef"), source.get("secretRef")];
    for reference in refs.iter().filter(|reference| reference.is_set()) {
        let name = reference.get("name");
        if name.must_be_set() {
            // A trailing dash is let pass, as of a prefix.
            let stem = name.str().strip_suffix('-').unwrap_or(name.str());
            name.invalid_for(crate::name::dns1123_subdomain(stem));
        }
    }
    match refs.iter().filter(|reference| reference.is_set()).count() {
        0 => source.invalid_value("", "must specify one of: `configMapRef` or `secretRef`"),
        1 => {}
        _ => source.invalid_value("", ONE_AT_A_TIME),
    }
}
