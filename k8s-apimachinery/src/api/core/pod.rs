//! Pod: containers that run together on one node.

use serde_json::{Map, Value};

use super::pod_spec::{self, Stage, resources};
use super::{pod_resize, pod_update};
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
        let (spec, old_spec) = (new.get("spec"), old.get("spec"));
        let node_name = spec.get("nodeName");
        if !node_name.same_as(&old_spec.get("nodeName")) {
            node_name.forbidden("may not be changed directly");
        }
        let status = new.get("status");
        let nominated = status.get("nominatedNodeName");
        if !nominated.is_empty() {
            nominated.invalid_for(crate::name::dns1123_subdomain(nominated.str()));
        }
        for (list, first) in [("podIPs", ""), ("hostIPs", "hostIP")] {
            check_addresses(&status, list, first);
        }
        check_restarts(new, old);
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

/// Addresses of a pod or its host: one of each family at most, the first of them also in a field of its own.
fn check_addresses(status: &Field, list: &str, first: &str) {
    let list = status.get(list);
    let mut seen = Vec::new();
    for (index, item) in list.items().enumerate() {
        let address = item.get("ip");
        if index == 0 && !first.is_empty() && address.str() != status.get(first).str() {
            address.invalid_value(address.str(), format!("must be equal to `{first}`"));
        }
        pod_spec::check_ip(&item.holding(&address));
        if seen.contains(&address.str()) {
            item.duplicate();
        }
        seen.push(address.str());
    }
    let families = |wanted: bool| seen.iter().filter(|it| it.contains(':') == wanted).count();
    if families(true) > 1 || families(false) > 1 {
        list.invalid("may specify no more than one IP for each IP family");
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

/// A container that has ended for good doesn't come back.
fn check_restarts(new: &Field, old: &Field) {
    let spec = new.get("spec");
    let policy = spec.get("restartPolicy");
    if policy.str() == "Always" {
        return;
    }
    let (status, old_status) = (new.get("status"), old.get("status"));
    let (list, old_list) = (
        status.get("containerStatuses"),
        old_status.get("containerStatuses"),
    );
    for status in list.items() {
        let name = status.get("name").str();
        let was = old_list.items().find(|old| old.get("name").str() == name);
        let Some(was) = was else { continue };
        let was = was.get("state");
        let ended = was.get("terminated");
        if !ended.is_set() {
            continue;
        }
        let may_retry = policy.str() == "OnFailure" && ended.get("exitCode").int() != Some(0);
        let state = status.get("state");
        if !may_retry && !state.get("terminated").is_set() {
            state.forbidden("may not be transitioned to non-terminated state");
        }
    }
}

#[cfg(test)]
mod tests;
