//! PersistentVolumeClaim: what storage a pod needs.

use serde_json::{Map, Value};

use super::persistent_volume::{check_modes, check_positive};
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;
use crate::quantity::Quantity;

/// Rules of `v1` `PersistentVolumeClaim`.
pub struct PersistentVolumeClaim;

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
        let (spec, status) = (new.get("spec"), new.get("status"));
        if spec.get("accessModes").is_empty() {
            spec.get("accessModes").required("");
        }
        for amounts in ["capacity", "allocatedResources"] {
            for (_, amount) in status.get(amounts).entries() {
                let quantity = amount.str().parse::<Quantity>();
                if quantity.is_ok_and(|quantity| quantity.is_negative()) {
                    amount.invalid("must be greater than or equal to 0");
                }
            }
        }
        let statuses = status.get("allocatedResourceStatuses");
        for (_, resize) in statuses.entries() {
            resize.may_be_one_of(&[
                "ControllerResizeInProgress",
                "ControllerResizeInfeasible",
                "NodeResizePending",
                "NodeResizeInProgress",
                "NodeResizeInfeasible",
            ]);
        }
    }
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
        true => check_positive(&shown.holding(&storage)),
        false => shown.required(""),
    }
    for class in ["storageClassName", "volumeAttributesClassName"] {
        let class = spec.get(class);
        if !class.is_empty() {
            class.invalid_for(name::dns1123_subdomain(class.str()));
        }
    }
    spec.get("volumeMode")
        .may_be_one_of(&["Block", "Filesystem"]);
    check_sources(spec);
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
            "volumeName" | "storageClassName" if !was.is_set() => true,
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
