//! Checks of `metadata`, the same for every kind.

use std::collections::HashSet;

use super::field::Field;
use crate::{ip, name};

/// Bytes that all annotations of an object may have together.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// Finalizers that need no domain in front.
pub(crate) const STANDARD_FINALIZERS: [&str; 3] = ["foregroundDeletion", "kubernetes", "orphan"];

/// How objects of a kind may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Labels separated by dots, 253 bytes at most: most kinds.
    Subdomain,
    /// One label of 63 bytes at most: namespaces and services.
    Label,
    /// Whatever fits into one segment of a path: roles and their bindings.
    PathSegment,
    /// An address in its one form: those that services have taken.
    IpAddress,
}

impl NameRule {
    /// What is wrong with the name, in Kubernetes' words; nothing when it is right.
    pub fn faults(self, name: &str) -> Vec<String> {
        match self {
            Self::Subdomain => name::dns1123_subdomain(name),
            Self::Label => name::dns1123_label(name),
            Self::PathSegment => path_segment(name),
            Self::IpAddress => ip::address_faults(name),
        }
    }

    /// The same for a `generateName`, whose trailing dash the generated part makes right.
    pub fn prefix_faults(self, prefix: &str) -> Vec<String> {
        match (self, prefix.strip_suffix('-')) {
            (Self::PathSegment, _) => path_segment(&format!("{prefix}a")),
            (_, Some(stem)) if !stem.is_empty() => self.faults(&format!("{stem}a")),
            _ => self.faults(prefix),
        }
    }
}

fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let banned = ["/", "%"].into_iter().filter(|c| name.contains(c));
    banned.map(|c| format!("may not contain '{c}'")).collect()
}

/// Checks the metadata of an object to be created.
pub(crate) fn check(object: &Field, rule: NameRule, is_namespaced: bool) {
    let metadata = object.get("metadata");
    let generate_name = metadata.get("generateName");
    if !generate_name.is_empty() {
        generate_name.invalid_for(rule.prefix_faults(generate_name.str()));
    }
    let name = metadata.get("name");
    if name.is_empty() {
        name.required("name or generateName is required");
    } else {
        name.invalid_for(rule.faults(name.str()));
    }
    let namespace = metadata.get("namespace");
    if !is_namespaced {
        if !namespace.is_empty() {
            namespace.forbidden("not allowed on this type");
        }
    } else if namespace.must_be_set() {
        namespace.invalid_for(name::dns1123_label(namespace.str()));
    }
    check_contents(&metadata);
}

/// Checks the metadata of an update: what names an object never changes.
pub(crate) fn check_update(new: &Field, old: &Field) {
    let (metadata, old) = (new.get("metadata"), old.get("metadata"));
    check_no_new_finalizers(&metadata, &old);
    let generation = metadata.get("generation");
    if generation.int().unwrap_or(0) < old.get("generation").int().unwrap_or(0) {
        generation.invalid_value(generation.int().unwrap_or(0), "must not be decremented");
    }
    for field in ["name", "namespace"] {
        metadata.get(field).must_not_change(&old.get(field));
    }
    // What the server sets may be left out: the stored value stays.
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let value = metadata.get(field);
        if value.is_set() {
            value.must_not_change(&old.get(field));
        }
    }
    check_contents(&metadata);
}

fn check_contents(metadata: &Field) {
    metadata.get("generation").must_not_be_negative();
    check_labels(&metadata.get("labels"));
    check_annotations(&metadata.get("annotations"));
    check_owners(&metadata.get("ownerReferences"));
    check_finalizers(&metadata.get("finalizers"));
}

/// Checks a map of labels. Faults are reported for the map as a whole, as Kubernetes does.
pub(crate) fn check_labels(labels: &Field) {
    for (key, value) in labels.entries() {
        check_label_key(labels, key);
        for message in name::label_value(value.str()) {
            labels.invalid_value(value.str(), message);
        }
    }
}

/// Checks a label's key that stands in `field`.
pub(crate) fn check_label_key(field: &Field, key: &str) {
    for message in name::qualified_name(key) {
        field.invalid_value(key, message);
    }
}

/// Checks keys and total size of annotations.
pub(crate) fn check_annotations(annotations: &Field) {
    let mut size = 0;
    for (key, value) in annotations.entries() {
        size += key.len() + value.str().len();
        // Unlike label keys, annotation keys may have capitals in their domain.
        for message in name::qualified_name(&key.to_lowercase()) {
            annotations.invalid_value(key, message);
        }
    }
    if size > MAX_ANNOTATIONS {
        annotations.too_long(MAX_ANNOTATIONS);
    }
}

fn check_owners(owners: &Field) {
    let mut controller = None;
    for owner in owners.items() {
        let api_version = owner.get("apiVersion");
        if api_version
            .str()
            .rsplit('/')
            .next()
            .is_none_or(str::is_empty)
        {
            api_version.invalid_value(api_version.str(), "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            let field = owner.get(field);
            if field.is_empty() {
                field.invalid_value("", "must not be empty");
            }
        }
        if api_version.str() == "v1" && owner.get("kind").str() == "Event" {
            owner.invalid("/v1, Kind=Event is disallowed from being an owner");
        }
        if !owner.get("controller").is_true() {
            continue;
        }
        let name = owner.get("name").str();
        if let Some(first) = controller.replace(name) {
            owners.invalid(format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
            ));
        }
    }
}

fn check_finalizers(finalizers: &Field) {
    let mut standard = HashSet::new();
    for finalizer in finalizers.items() {
        let text = finalizer.str();
        for message in name::qualified_name(text) {
            finalizers.invalid_value(text, message);
        }
        if STANDARD_FINALIZERS.contains(&text) {
            standard.insert(text);
        } else if !text.contains('/') {
            finalizer
                .invalid("name is neither a standard finalizer name nor is it fully qualified");
        }
    }
    if standard.contains("orphan") && standard.contains("foregroundDeletion") {
        finalizers.invalid("finalizer orphan and foregroundDeletion cannot be both set");
    }
}

fn check_no_new_finalizers(metadata: &Field, old: &Field) {
    if !old.get("deletionTimestamp").is_set() {
        return;
    }
    let (finalizers, old) = (metadata.get("finalizers"), old.get("finalizers"));
    let known: HashSet<_> = old.items().map(|f| f.str()).collect();
    let mut added: Vec<_> = finalizers
        .items()
        .map(|f| f.str())
        .filter(|f| !known.contains(f))
        .collect();
    if added.is_empty() {
        return;
    }
    added.sort_unstable();
    let quoted: Vec<_> = added.iter().map(|f| format!("{f:?}")).collect();
    finalizers.forbidden(format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        quoted.join(", ")
    ));
}

#[cfg(test)]
mod tests;
