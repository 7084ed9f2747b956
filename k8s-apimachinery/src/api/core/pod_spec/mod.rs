//! A pod's spec: alone in a pod, or inside the template of a workload.
//!
//! One file per concept. Each has `default` (edits on the tree) or `check` (faults), or both.

use serde_json::{Map, Value};

use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::api::metadata::check_labels;
use crate::name;

pub(super) mod container;
mod dns;
mod env;
mod handler;
pub(super) mod image;
mod os;
mod port;
mod probe;
mod projection;
pub(super) mod resources;
mod restart;
mod scheduling;
mod security;
mod volume;
mod volume_mount;
mod windows;

pub(super) use container::Stage;
pub(super) use port::check_number_or_name as check_port_number_or_name;
pub(crate) use port::name_faults as port_name_faults;
pub(crate) use resources::check_overhead;
pub(crate) use scheduling::check_toleration;

/// Fills in a pod's spec, the same in pods and templates.
pub(crate) fn default(spec: &mut Map<String, Value>) {
    spec.fill("restartPolicy", "Always");
    spec.fill("terminationGracePeriodSeconds", 30);
    spec.fill("dnsPolicy", "ClusterFirst");
    spec.fill("schedulerName", "default-scheduler");
    spec.ensure("securityContext");
    default_service_account(spec);
    for stage in Stage::ALL {
        spec.objects(stage.field()).for_each(container::default);
    }
    spec.objects("volumes").for_each(volume::default);
}

/// The account has an older second name, which always says the same.
fn default_service_account(spec: &mut Map<String, Value>) {
    let name = match spec.text("serviceAccountName") {
        "" => spec.text("serviceAccount"),
        name => name,
    };
    if name.is_empty() {
        return;
    }
    let name = Value::from(name);
    for field in ["serviceAccountName", "serviceAccount"] {
        if spec.get(field) != Some(&name) {
            spec.insert(field.to_owned(), name.clone());
        }
    }
}

/// Checks a pod's spec.
pub(crate) fn check(spec: &Field) {
    let volumes = volume::check_all(&spec.get("volumes"));
    container::check_all(spec, &volumes);
    spec.get("restartPolicy")
        .must_be_one_of(&["Always", "OnFailure", "Never"]);
    dns::check(spec);
    check_labels(&spec.get("nodeSelector"));
    security::check_pod(spec);
    check_names(spec);
    scheduling::check(spec);
    resources::check_pod(spec);
    resources::check_claims(&spec.get("resourceClaims"));
    spec.get("activeDeadlineSeconds")
        .must_be_between(1, i32::MAX.into());
    for alias in spec.get("hostAliases").items() {
        check_host_alias(&alias);
    }
    for gate in spec.get("readinessGates").items() {
        let condition = gate.get("conditionType");
        condition.invalid_for(name::qualified_name(condition.str()));
    }
    windows::check_host_process(spec);
    os::check(spec);
}

fn check_names(spec: &Field) {
    const SUBDOMAINS: [&str; 4] = [
        "serviceAccountName",
        "nodeName",
        "priorityClassName",
        "runtimeClassName",
    ];
    for field in SUBDOMAINS {
        let name = spec.get(field);
        if !name.is_empty() {
            name.invalid_for(name::dns1123_subdomain(name.str()));
        }
    }
    for field in ["hostname", "subdomain"] {
        let name = spec.get(field);
        if !name.is_empty() {
            name.invalid_for(name::dns1123_label(name.str()));
        }
    }
    check_hostname_override(spec);
    for secret in spec.get("imagePullSecrets").items() {
        let name = secret.get("name");
        if !name.is_empty() {
            name.invalid_for(name::dns1123_subdomain(name.str()));
        }
    }
}

/// A name of the host's own (KEP-4762): the kernel takes no longer one, and other ways of naming it are out.
fn check_hostname_override(spec: &Field) {
    const LONGEST: usize = 64;
    let name = spec.get("hostnameOverride");
    if !name.is_set() {
        return;
    }
    for message in name::dns1123_subdomain(name.str()) {
        name.invalid_value(name.str(), message);
    }
    if name.str().len() > LONGEST {
        name.too_long(LONGEST);
    }
    for other in ["hostNetwork", "setHostnameAsFQDN"] {
        if spec.get(other).is_true() {
            name.forbidden(format!("may not be specified when {other} is true"));
        }
    }
}

fn check_host_alias(alias: &Field) {
    let ip = alias.get("ip");
    check_ip(&ip);
    for hostname in alias.get("hostnames").items() {
        hostname.invalid_for(name::dns1123_subdomain(hostname.str()));
    }
}

/// Checks that a text is an address.
pub(crate) fn check_ip(field: &Field) {
    if field.str().parse::<std::net::IpAddr>().is_err() {
        field.invalid_value(
            field.str(),
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        );
    }
}
