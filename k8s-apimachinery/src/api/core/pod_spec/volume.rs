//! Volumes: where files come from.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::env::{check_field_ref, check_resource_ref, default_field_ref};
use super::{image, projection};
use crate::api::core::volume_source::{self, Holder};
use crate::api::core::{persistent_volume, persistent_volume_claim};
use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::api::metadata::{check_annotations, check_labels};
use crate::name;
use crate::quantity::Quantity;

/// The pod's volumes by name, each with the field that says what it is, for the mounts to refer to.
pub(super) type Volumes<'v> = HashMap<&'v str, &'v str>;

/// 0644: owner writes, all read.
const FILE_MODE: i64 = 0o644;
/// Fields of the pod that a file may show.
const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Fills in one volume. One without a source is an empty directory.
pub(super) fn default(volume: &mut Map<String, Value>) {
    if !volume
        .iter()
        .any(|(field, source)| field != "name" && !source.is_null())
    {
        volume.ensure("emptyDir");
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.object(source) {
            source.fill("defaultMode", FILE_MODE);
            source.objects("items").for_each(default_downward_item);
            source.objects("sources").for_each(default_projection);
        }
    }
    if let Some(oci) = volume.object("image") {
        let policy = image::default_pull_policy(oci.text("reference"));
        oci.fill("pullPolicy", policy);
    }
    let template = volume
        .object("ephemeral")
        .and_then(|e| e.object("volumeClaimTemplate"));
    if let Some(spec) = template.and_then(|template| template.object("spec")) {
        persistent_volume_claim::default_spec(spec);
    }
    persistent_volume::default_sources(volume);
}

fn default_projection(projection: &mut Map<String, Value>) {
    if let Some(token) = projection.object("serviceAccountToken") {
        token.fill("expirationSeconds", 3600);
    }
    if let Some(downward) = projection.object("downwardAPI") {
        downward.objects("items").for_each(default_downward_item);
    }
}

fn default_downward_item(item: &mut Map<String, Value>) {
    item.object("fieldRef")
        .into_iter()
        .for_each(default_field_ref);
    if let Some(resource) = item.object("resourceFieldRef") {
        resource.fill("divisor", "0");
    }
}

/// Checks all volumes and returns their names.
pub(super) fn check_all<'v>(volumes: &Field<'_, 'v>) -> Volumes<'v> {
    let mut known = Volumes::new();
    for volume in volumes.items() {
        let name = volume.get("name");
        if name.must_be_set() {
            name.invalid_for(name::dns1123_label(name.str()));
            let kind = volume.names().find(|field| *field != "name");
            if known.insert(name.str(), kind.unwrap_or_default()).is_some() {
                name.duplicate();
            }
        }
        check_source(&volume);
    }
    known
}

fn check_source(volume: &Field) {
    let mut sources = volume.names().filter(|field| *field != "name");
    let Some(kind) = sources.next() else {
        volume.required("must specify a volume type");
        return;
    };
    for other in sources {
        volume
            .get(other)
            .forbidden("may not specify more than 1 volume type");
    }
    let source = volume.get(kind);
    match kind {
        "emptyDir" => check_empty_dir(&source),
        "secret" => {
            source.get("secretName").must_be_set();
            check_files(&source);
        }
        "configMap" => {
            source.get("name").must_be_set();
            check_files(&source);
        }
        "downwardAPI" => {
            check_mode(&source.get("defaultMode"));
            source
                .get("items")
                .items()
                .for_each(|item| check_downward_file(&source, &item));
        }
        "projected" => projection::check(&source),
        "persistentVolumeClaim" => {
            source.get("claimName").must_be_set();
        }
        "csi" => {
            persistent_volume::check_driver_name(&source.get("driver"));
            let secret = source.get("nodePublishSecretRef");
            if secret.is_set() && secret.get("name").must_be_set() {
                // Kubernetes leaves out the secret here.
                let name = source.get("name");
                let name = name.holding(&secret.get("name"));
                name.invalid_for(name::dns1123_subdomain(name.str()));
            }
        }
        "image" => {
            source.get("reference").must_be_set();
            source
                .get("pullPolicy")
                .may_be_one_of(&["Always", "IfNotPresent", "Never"]);
        }
        "ephemeral" => {
            let template = source.get("volumeClaimTemplate");
            if template.must_be_set() {
                check_template_metadata(&template.get("metadata"));
                persistent_volume_claim::check_spec(&template.get("spec"));
            }
        }
        sort => volume_source::check(sort, &source, Holder::Pod),
    }
}

/// What is made from a template gets its labels and annotations from there, and nothing else.
fn check_template_metadata(metadata: &Field) {
    check_annotations(&metadata.get("annotations"));
    check_labels(&metadata.get("labels"));
    let others = metadata.names();
    for name in others.filter(|name| !matches!(*name, "annotations" | "labels")) {
        // Kubernetes spells the name as its own type does, but for the first letter.
        let shown = if name == "uid" { "uID" } else { name };
        metadata.get(shown).forbidden("cannot be set");
    }
}

fn check_empty_dir(source: &Field) {
    let limit = source.get("sizeLimit");
    let size = limit.str().parse::<Quantity>().ok();
    if size.is_some_and(|size| size.value() < 0) {
        limit.invalid("SizeLimit field must be a valid resource quantity");
    }
    let medium = source.get("medium");
    let is_known = matches!(medium.str(), "" | "Memory" | "HugePages")
        || medium.str().starts_with("HugePages-");
    if !is_known {
        medium.unsupported(&["", "HugePages", "Memory"]);
    }
}

pub(super) fn check_files(source: &Field) {
    check_mode(&source.get("defaultMode"));
    for item in source.get("items").items() {
        let path = item.get("path");
        item.get("key").must_be_set();
        if path.must_be_set() {
            check_local_path(&path);
        }
        check_mode(&item.get("mode"));
    }
}

/// Checks a file that shows something of the pod. Kubernetes reports what is wrong as if it stood in `volume` itself.
pub(super) fn check_downward_file(volume: &Field, item: &Field) {
    let shown =
        ["path", "fieldRef", "resourceFieldRef", "mode"].map(|field| (field, volume.get(field)));
    let [path, field_ref, resource_ref, mode] = shown
        .each_ref()
        .map(|(field, shown)| shown.holding(&item.get(field)));
    if path.must_be_set() {
        check_local_path(&path);
    }
    if field_ref.is_set() {
        check_field_ref(&field_ref, &FIELDS);
        if resource_ref.is_set() {
            volume.invalid_value(
                "resource",
                "fieldRef and resourceFieldRef can not be specified simultaneously",
            );
        }
    } else if resource_ref.is_set() {
        resource_ref.get("containerName").must_be_set();
        check_resource_ref(&resource_ref);
    } else {
        volume.required("one of fieldRef and resourceFieldRef is required");
    }
    check_mode(&mode);
}

pub(super) fn check_mode(mode: &Field) {
    if mode.int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        mode.invalid("must be a number between 0 and 0777 (octal), both inclusive");
    }
}

/// A path inside a volume whose files are made by the node, which keeps names that begin with two dots for itself.
pub(super) fn check_local_path(path: &Field) {
    check_descending_path(path);
    let is_reported = path.str() == ".." || path.str().starts_with("../");
    if path.str().starts_with("..") && !is_reported {
        path.invalid("must not start with '..'");
    }
}

/// A path inside a volume: relative, and never up.
pub(super) fn check_descending_path(path: &Field) {
    if path.str().starts_with('/') {
        path.invalid("must be a relative path");
    }
    if path.str().split('/').any(|part| part == "..") {
        path.invalid("must not contain '..'");
    }
}
