//! Ports of containers.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::check_ip;
use crate::api::edit::Edit;
use crate::api::field::Field;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// Fills in one port.
pub(super) fn default(port: &mut Map<String, Value>) {
    port.fill("protocol", "TCP");
}

/// Checks the ports of one container.
pub(super) fn check(ports: &Field) {
    let mut names = HashSet::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            let faults = name_faults(name.str());
            if faults.is_empty() && !names.insert(name.str()) {
                name.duplicate();
            }
            name.invalid_for(faults);
        }
        let (container_port, host_port) = (port.get("containerPort"), port.get("hostPort"));
        match container_port.int() {
            None | Some(0) => container_port.required(""),
            Some(_) => container_port.must_be_port(),
        }
        if host_port.int().unwrap_or(0) != 0 {
            host_port.must_be_port();
        }
        let host_ip = port.get("hostIP");
        if !host_ip.is_empty() {
            check_ip(&host_ip);
        }
        port.get("protocol").must_be_one_of(&PROTOCOLS);
    }
}

/// Checks the ports of a container in its node's network: they are the node's as well. In templates they may be left
/// open, since pods get them when they are made.
pub(super) fn check_on_host(ports: &Field) {
    for port in ports.items() {
        let (container_port, host_port) = (port.get("containerPort"), port.get("hostPort"));
        let published = host_port.int().unwrap_or(0);
        if published != 0 && host_port.int() != container_port.int() {
            host_port.invalid("must match `containerPort` when `hostNetwork` is true");
        }
    }
}

/// Reports host ports that an earlier container of the pod has taken.
pub(super) fn check_host_conflicts(ports: &Field, taken: &mut HashSet<String>) {
    for port in ports.items() {
        let host_port = port.get("hostPort");
        let Some(number) = host_port.int().filter(|n| *n != 0) else {
            continue;
        };
        let address = format!(
            "{}/{}/{number}",
            port.get("protocol").str(),
            port.get("hostIP").str()
        );
        if taken.contains(&address) {
            host_port.duplicate_value(address);
        } else {
            taken.insert(address);
        }
    }
}

/// What is wrong with the name of a port (an IANA service name).
pub(crate) fn name_faults(name: &str) -> Vec<&'static str> {
    let bytes = name.as_bytes();
    let is_letter = |c: &u8| c.is_ascii_lowercase();
    let is_allowed = |c: &u8| is_letter(c) || c.is_ascii_digit() || *c == b'-';
    [
        (name.len() > 15, "must be no more than 15 characters"),
        (
            !bytes.iter().all(is_allowed),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            !bytes.iter().any(is_letter),
            "must contain at least one letter (a-z)",
        ),
        (name.contains("--"), "must not contain consecutive hyphens"),
        (
            name.starts_with('-') || name.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ]
    .into_iter()
    .filter_map(|(is_wrong, message)| is_wrong.then_some(message))
    .collect()
}

/// Checks a port given by number or by the name of a container's port.
pub(crate) fn check_number_or_name(port: &Field) {
    match port.value().and_then(Value::as_str) {
        Some(name) => port.invalid_for(name_faults(name)),
        None => port.must_be_port(),
    }
}
