//! Pod: containers that run together on one node.

use serde_json::{Map, Value};

use super::pod_spec::{self, Stage, resources};
use super::{pod_resize, pod_status, pod_update};
use crate::api::{Edit, Field, FieldError, NameRule, Rules, collect_update, metadata};
use crate::object::Object;
use crate::pod::request;

/// Rules of `v1` `Pod`.
pub struct Pod;

impl Rules for Pod {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        pod_spec::default(spec);
        default_alone(spec);
        default_pod_requests(object);
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        pod_spec::check(&spec);
        check_tokens(&spec);
        for stage in [Stage::Main, Stage::Init] {
            for container in spec.get(stage.field()).items() {
                pod_spec::image::check_trimmed(&container.get("image"));
            }
        }
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        let ephemeral = spec.get("ephemeralContainers");
        if !ephemeral.is_empty() {
            ephemeral.forbidden("cannot be set on create");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        pod_update::check(&new.get("spec"), &old.get("spec"));
        check_mirror(new, old);
    }

    /// Resources may change through `resize` alone.
    fn validate_part_update(&self, part: &str, new: &Object, old: &Object) -> Vec<FieldError> {
        if part != "resize" {
            return self.validate_update(new, old);
        }
        let mut faults = collect_update(new, old, |new, old| {
            metadata::check_update(new, old);
            self.check(new);
            pod_resize::check(new, old);
        });
        faults.extend(pod_resize::check_class(new, old));
        faults
    }

    fn check_status(&self, new: &Field, old: &Field) {
        pod_status::check(new, old);
    }
}

/// A token is one of an account, so there must be one.
fn check_tokens(spec: &Field) {
    if !spec.get("serviceAccountName").is_empty() {
        return;
    }
    for volume in spec.get("volumes").items() {
        for source in volume.get("projected").get("sources").items() {
            let token = source.get("serviceAccountToken");
            if token.is_set() {
                token.forbidden("must not be specified when serviceAccountName is not set");
            }
        }
    }
}

/// Fills in what is left open in templates, and decided when a pod is made.
fn default_alone(spec: &mut Map<String, Value>) {
    spec.fill("enableServiceLinks", true);
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for stage in [Stage::Init, Stage::Main] {
        for container in spec.objects(stage.field()) {
            resources::request_what_is_limited(container);
            if host_network {
                container.objects("ports").for_each(publish_on_host);
            }
        }
    }
}

fn publish_on_host(port: &mut Map<String, Value>) {
    let is_published = port.get("hostPort").and_then(Value::as_i64).unwrap_or(0) != 0;
    if !is_published && let Some(number) = port.get("containerPort").cloned() {
        port.insert("hostPort".to_owned(), number);
    }
}

/// A pod that limits resources as a whole requests what its containers do together, else its limit.
fn default_pod_requests(object: &mut Object) {
    let path = ["spec", "resources", "limits"];
    let Some(Value::Object(limits)) = object.get(&path).cloned() else {
        return;
    };
    let Ok(pod) = object.view::<k8s_openapi::api::core::v1::Pod>() else {
        return;
    };
    let together = request::container_requests_together(&pod);
    let requests = object
        .as_map_mut()
        .ensure("spec")
        .ensure("resources")
        .ensure("requests");
    for (name, unit) in [("cpu", "m"), ("memory", "")] {
        let amount = together.get(name);
        if amount == 0 || requests.contains_key(name) {
            continue;
        }
        let whole = amount % 1000 == 0 && unit == "m";
        let text = if whole {
            (amount / 1000).to_string()
        } else {
            format!("{amount}{unit}")
        };
        requests.insert(name.to_owned(), text.into());
    }
    for (name, limit) in limits {
        if request::is_pod_level_resource(&name) {
            requests.entry(name).or_insert(limit);
        }
    }
}

/// What a node runs from a file of its own has no place for debuggers.
fn check_mirror(new: &Field, old: &Field) {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let list = "ephemeralContainers";
    if is_mirror(old) && !spec.get(list).same_as(&old_spec.get(list)) {
        new.forbidden("static pods do not support ephemeral containers");
    }
}

/// Whether a pod only shows what a node runs from a file.
pub(super) fn is_mirror(pod: &Field) -> bool {
    let metadata = pod.get("metadata");
    metadata
        .get("annotations")
        .key("kubernetes.io/config.mirror")
        .is_set()
}

#[cfg(test)]
mod tests;
