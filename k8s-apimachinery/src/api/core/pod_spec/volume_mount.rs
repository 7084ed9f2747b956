//! Where a container sees its volumes.

use std::collections::HashSet;

use super::volume::{Volumes, check_descending_path};
use crate::api::field::Field;

const PROPAGATIONS: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];

/// Checks a container's mounts and devices against the pod's volumes.
pub(super) fn check(container: &Field, volumes: &Volumes) {
    let mut paths = HashSet::new();
    for mount in container.get("volumeMounts").items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        check_volume(&name, volumes);
        if path.must_be_set() && !paths.insert(path.str()) {
            path.invalid("must be unique");
        }
        check_sub_path(&mount);
        check_propagation(&mount, container);
        check_recursive_read_only(&mount);
    }
    let mut devices = HashSet::new();
    for device in container.get("volumeDevices").items() {
        check_volume(&device.get("name"), volumes);
        let path = device.get("devicePath");
        if path.must_be_set() && (!devices.insert(path.str()) || paths.contains(path.str())) {
            path.invalid("must be unique");
        }
    }
}

fn check_volume(name: &Field, volumes: &Volumes) {
    if name.must_be_set() && !volumes.contains(name.str()) {
        name.not_found();
    }
}

fn check_sub_path(mount: &Field) {
    let (path, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
    if !path.is_empty() {
        check_descending_path(&path);
    }
    if !expression.is_empty() {
        if !path.is_empty() {
            expression.invalid("subPathExpr and subPath are mutually exclusive");
        }
        check_descending_path(&expression);
    }
}

fn check_propagation(mount: &Field, container: &Field) {
    let propagation = mount.get("mountPropagation");
    propagation.may_be_one_of(&PROPAGATIONS);
    let context = container.get("securityContext");
    if propagation.str() == "Bidirectional" && !context.get("privileged").is_true() {
        propagation.forbidden(
            "Bidirectional mount propagation is available only to privileged containers",
        );
    }
}

fn check_recursive_read_only(mount: &Field) {
    let recursive = mount.get("recursiveReadOnly");
    recursive.may_be_one_of(&["Disabled", "Enabled", "IfPossible"]);
    let is_asked = matches!(recursive.str(), "Enabled" | "IfPossible");
    if is_asked && !mount.get("readOnly").is_true() {
        recursive.forbidden("may only be specified when readOnly is true");
    }
}
