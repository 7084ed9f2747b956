//! PersistentVolumeClaim: what storage a pod needs.

use serde_json::{Map, Value};

use super::persistent_volume::{check_basic, check_modes, check_positive};
use super::pod_spec::resources;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, IMMUTABLE, NameRule, Rules};
use crate::name;
use crate::object::Object;
use crate::quantity::Quantity;
use crate::resource_name::is_native;

/// Rules of `v1` `PersistentVolumeClaim`.
pub struct PersistentVolumeClaim;

/// Where claims named their class before they had a field for it.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// How far a change of size has come.
const RESIZES: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

impl Rules for PersistentVolumeClaim {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        default(object.as_map_mut());
    }

    fn check(&self, object: &Field) {
        check_spec(&object.get("spec"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        if !is_class_moved(new, old) {
            check_class_annotation(new, old);
        }
        check_spec_kept(new, old);
        check_size(new, old);
        let (spec, old) = (new.get("spec"), old.get("spec"));
        new.get("volumeMode")
            .holding(&spec.get("volumeMode"))
            .must_not_change(&old.get("volumeMode"));
        let class = spec.get("volumeAttributesClassName");
        if old.get("volumeAttributesClassName").is_set() {
            if !class.is_set() {
                class.forbidden("update from non-nil value to nil is forbidden");
            } else if class.is_empty() {
                class.forbidden("update from non-nil value to an empty string is forbidden");
            }
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        if new.get("spec").get("accessModes").is_empty() {
            // Kubernetes' own spelling, here and below.
            new.get("Spec").get("accessModes").required("");
        }
        let status = new.get("status");
        for (_, amount) in status.get("capacity").entries() {
            check_basic(&amount);
        }
        let shown = status.get("allocatedResourceStatus");
        for (name, resize) in status.get("allocatedResourceStatuses").entries() {
            check_resource(&shown, name);
            if !RESIZES.contains(&resize.str()) {
                shown.unsupported_value(name, &RESIZES);
            }
        }
        let allocated = status.get("allocatedResources");
        for (name, amount) in allocated.entries() {
            if check_resource(&allocated, name) {
                check_basic(&amount);
            }
        }
    }
}

/// Reports a resource that no claim is about. Says whether it is one of those that claims are about.
fn check_resource(list: &Field, name: &str) -> bool {
    let before = list.count_faults();
    for message in name::qualified_name(name) {
        list.invalid_value(name, message);
    }
    if list.count_faults() == before && is_native(name) && name != "storage" {
        list.unsupported_value(name, &["storage"]);
    }
    list.count_faults() == before
}

/// Whether the class moves from the annotation that once held it into its field.
fn is_class_moved(new: &Field, old: &Field) -> bool {
    let (annotated, was_annotated) = (class_annotation(new), class_annotation(old));
    let (spec, old) = (new.get("spec"), old.get("spec"));
    let class = spec.get("storageClassName");
    was_annotated.is_some()
        && !old.get("storageClassName").is_set()
        && class.is_set()
        && Some(class.str()) == was_annotated
        && (annotated.is_none() || annotated == was_annotated)
}

fn check_class_annotation(new: &Field, old: &Field) {
    let (is, was) = (class_annotation(new), class_annotation(old));
    if is.unwrap_or_default() != was.unwrap_or_default() {
        let metadata = new.get("metadata");
        let annotations = metadata.get("annotations");
        let shown = annotations.get(CLASS_ANNOTATION);
        shown.invalid_value(is.unwrap_or_default(), IMMUTABLE);
    }
}

fn class_annotation<'v>(claim: &Field<'_, 'v>) -> Option<&'v str> {
    let metadata = claim.get("metadata");
    let annotations = metadata.get("annotations");
    let class = annotations.key(CLASS_ANNOTATION);
    class.is_set().then(|| class.str())
}

/// Fills in a claim, alone or as a template.
pub(in crate::api) fn default(claim: &mut Map<String, Value>) {
    claim.ensure("status").fill("phase", "Pending");
    default_spec(claim.ensure("spec"));
}

/// Fills in a claim's spec.
pub(super) fn default_spec(spec: &mut Map<String, Value>) {
    spec.fill("volumeMode", "Filesystem");
    // The older of the two fields for a source knows less; each fills the other.
    let local = |source: &Value| source.get("namespace").is_none_or(|ns| ns == "");
    match (
        spec.get("dataSource").cloned(),
        spec.get("dataSourceRef").cloned(),
    ) {
        (Some(source), None) => drop(spec.insert("dataSourceRef".to_owned(), source)),
        (None, Some(source)) if local(&source) => {
            drop(spec.insert("dataSource".to_owned(), source))
        }
        _ => {}
    }
}

/// Checks a claim's spec.
pub(super) fn check_spec(spec: &Field) {
    let modes = spec.get("accessModes");
    if modes.is_empty() {
        modes.required("at least 1 access mode is required");
    }
    if spec.get("selector").is_set() {
        check_label_selector(&spec.get("selector"));
    }
    check_modes(&modes);
    let resources = spec.get("resources");
    let requests = resources.get("requests");
    // Kubernetes reports the request as if it stood right below the resources.
    let storage = requests.key("storage");
    let shown = resources.key("storage");
    match storage.is_set() {
        true => check_storage(&shown.holding(&storage)),
        false => shown.required(""),
    }
    check_class(&spec.get("storageClassName"));
    spec.get("volumeMode")
        .may_be_one_of(&["Block", "Filesystem"]);
    check_sources(spec);
    check_class(&spec.get("volumeAttributesClassName"));
}

fn check_class(class: &Field) {
    if !class.is_empty() {
        class.invalid_for(name::dns1123_subdomain(class.str()));
    }
}

/// Checks how much storage is asked for.
fn check_storage(storage: &Field) {
    let before = storage.count_faults();
    check_positive(storage);
    if storage.count_faults() == before {
        resources::check_amount(storage, "storage");
    }
}

fn check_sources(spec: &Field) {
    let (source, reference) = (spec.get("dataSource"), spec.get("dataSourceRef"));
    for source in [&source, &reference]
        .into_iter()
        .filter(|source| source.is_set())
    {
        check_source(source);
    }
    let namespace = reference.get("namespace");
    if !namespace.is_empty() {
        namespace.invalid_for(name::dns1123_label(namespace.str()));
    }
    if !source.is_set() || !reference.is_set() {
        return;
    }
    let same = |field: &&str| source.get(field).same_as(&reference.get(field));
    if !namespace.is_empty() {
        spec.invalid_value(
            source.path(),
            "may not be specified when dataSourceRef.namespace is specified",
        );
    } else if !["apiGroup", "kind", "name"].iter().all(same) {
        spec.invalid_value(source.path(), "must match dataSourceRef");
    }
}

fn check_source(source: &Field) {
    let (group, kind) = (source.get("apiGroup"), source.get("kind"));
    source.get("name").must_be_set();
    kind.must_be_set();
    if group.is_empty() {
        if kind.str() != "PersistentVolumeClaim" {
            source.invalid_value(
                kind.str(),
                "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
            );
        }
    } else {
        group.invalid_for(name::dns1123_subdomain(group.str()));
    }
}

/// A spec is decided once: the volume may be filled in, a class given where there was none, and a bound claim may grow.
fn check_spec_kept(new: &Field, old: &Field) {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let status = new.get("status");
    let is_bound = status.get("phase").str() == "Bound";
    let is_kept = |name: &str| {
        let (field, was) = (spec.get(name), old_spec.get(name));
        match name {
            "volumeAttributesClassName" => true,
            "volumeName" if was.is_empty() => true,
            // A class may be given where there was none, in the field or in the annotation.
            "storageClassName" if !was.is_set() && field.is_set() => {
                class_annotation(old).is_none_or(|class| class == field.str())
            }
            "resources" if is_bound => {
                let (now, before) = (field.get("requests"), was.get("requests"));
                let mut others = now
                    .names()
                    .chain(before.names())
                    .filter(|name| *name != "storage");
                field.get("limits").same_as(&was.get("limits"))
                    && others.all(|name| now.key(name).same_as(&before.key(name)))
            }
            _ => field.same_as(&was),
        }
    };
    if !spec.names().chain(old_spec.names()).all(is_kept) {
        spec.forbidden("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
    }
}

/// Less may be asked for again as long as it is more than what there is: a way out of a failing expansion.
fn check_size(new: &Field, old: &Field) {
    let amount = |storage: &Field| storage.str().parse::<Quantity>().unwrap_or_default();
    let (spec, old_spec, old_status) = (new.get("spec"), old.get("spec"), old.get("status"));
    let (resources, old_resources) = (spec.get("resources"), old_spec.get("resources"));
    let (requests, old_requests) = (resources.get("requests"), old_resources.get("requests"));
    let (size, old_size) = (requests.get("storage"), old_requests.get("storage"));
    let capacity = old_status.get("capacity");
    if amount(&size) < amount(&old_size) && amount(&size) <= amount(&capacity.key("storage")) {
        size.forbidden("field can not be less than status.capacity");
    }
}

#[cfg(test)]
mod tests;
