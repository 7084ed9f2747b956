//! VolumeAttachment: the wish to have a volume attached to a node, and how far that is.

use serde_json::Value;

use crate::api::core::persistent_volume::{self, check_driver_name};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

/// Rules of `storage.k8s.io/v1` `VolumeAttachment`.
pub struct VolumeAttachment;

const MAX_METADATA: usize = 256 * 1024;
const MAX_MESSAGE: usize = 1024;

impl Rules for VolumeAttachment {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        let source = spec.object("source");
        if let Some(inline) = source.and_then(|source| source.object("inlineVolumeSpec")) {
            persistent_volume::default_spec(inline);
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("attacher").must_be_set();
        check_source(&spec.get("source"));
        let node = spec.get("nodeName");
        for message in name::dns1123_subdomain(node.str()) {
            node.invalid_value(node.str(), message);
        }
        check_state(&object.get("status"));
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        check_driver_name(&spec.get("attacher"));
        let source = spec.get("source");
        let volume = source.get("persistentVolumeName");
        if volume.is_set() {
            volume.invalid_for(name::dns1123_subdomain(volume.str()));
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("spec").must_not_change(&old.get("spec"));
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        check_state(&new.get("status"));
    }
}

fn check_source(source: &Field) {
    const ONE: &str = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    let (inline, volume) = (
        source.get("inlineVolumeSpec"),
        source.get("persistentVolumeName"),
    );
    match (inline.is_set(), volume.is_set()) {
        (false, false) => source.required(ONE),
        (true, true) => source.forbidden(ONE),
        (true, false) => persistent_volume::check_spec(&inline, "", true),
        (false, true) if volume.is_empty() => {
            volume.required("must specify non empty persistentVolumeName")
        }
        (false, true) => {}
    }
}

fn check_state(status: &Field) {
    let metadata = status.get("attachmentMetadata");
    let bytes = |(key, value): (&str, Field)| {
        key.len() + value.value().and_then(Value::as_str).map_or(0, str::len)
    };
    if metadata.entries().map(bytes).sum::<usize>() > MAX_METADATA {
        metadata.too_long(MAX_METADATA);
    }
    for error in ["attachError", "detachError"] {
        let error = status.get(error);
        if error.get("message").str().len() > MAX_MESSAGE {
            // Kubernetes names the other limit here.
            error.get("message").too_long(MAX_METADATA);
        }
        error.get("errorCode").must_be_between(0, i32::MAX.into());
    }
}
