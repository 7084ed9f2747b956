//! Where a container sees its volumes: as directories, or raw as devices.

use std::collections::HashSet;

use super::volume::{Volumes, check_descending_path};
use crate::api::field::Field;

const PROPAGATIONS: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];

/// Checks a container's mounts and devices against the pod's volumes.
pub(super) fn check(container: &Field, volumes: &Volumes) {
    let (mounts, devices) = (
        container.get("volumeMounts"),
        container.get("volumeDevices"),
    );
    check_mounts(&mounts, &devices, container, volumes);
    check_devices(&devices, &mounts, volumes);
}

fn check_mounts(mounts: &Field, devices: &Field, container: &Field, volumes: &Volumes) {
    let mut paths = HashSet::new();
    for mount in mounts.items() {
        let (name, path) = (mount.get("name"), mount.get("mountPath"));
        name.must_be_set();
        let kind = volumes.get(name.str());
        if kind.is_none() {
            absent(&name);
        }
        path.must_be_set();
        if !paths.insert(path.str()) {
            path.invalid_value(path.str(), "must be unique");
        }
        if holds(devices, "name", &name) {
            name.invalid("must not already exist in volumeDevices");
        }
        if holds(devices, "devicePath", &path) {
            path.invalid("must not already exist as a path in volumeDevices");
        }
        check_sub_path(mounts, &mount, kind == Some(&"image"));
        check_propagation(mounts, &mount, container);
        check_recursive_read_only(mounts, &mount);
    }
}

fn check_devices(devices: &Field, mounts: &Field, volumes: &Volumes) {
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for device in devices.items() {
        let (name, path) = (device.get("name"), device.get("devicePath"));
        if name.must_be_set() && !names.insert(name.str()) {
            name.invalid("must be unique");
        }
        match volumes.get(name.str()) {
            None => absent(&name),
            Some(&("persistentVolumeClaim" | "ephemeral")) => {}
            Some(_) => name.invalid(
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            ),
        }
        path.must_be_set();
        if paths.contains(path.str()) {
            path.invalid_value(path.str(), "must be unique");
        }
        if path.str().split('/').any(|part| part == "..") {
            path.invalid("can not contain backsteps ('..')");
        } else {
            paths.insert(path.str());
        }
        if holds(mounts, "name", &name) {
            name.invalid("must not already exist in volumeMounts");
        }
        if holds(mounts, "mountPath", &path) {
            path.invalid("must not already exist as a path in volumeMounts");
        }
    }
}

/// The volume that a name refers to is missing, if the name is as well.
fn absent(name: &Field) {
    match name.is_set() {
        true => name.not_found(),
        false => name.not_found_value(""),
    }
}

/// Whether an item of the list has the same in one of its fields.
fn holds(list: &Field, field: &str, value: &Field) -> bool {
    let is_same = |item: Field| item.get(field).str() == value.str();
    !value.is_empty() && list.items().any(is_same)
}

/// Kubernetes reports what is wrong with the following fields as if they stood in the list itself.
fn check_sub_path(mounts: &Field, mount: &Field, is_image: bool) {
    let (path, expression) = (mount.get("subPath"), mount.get("subPathExpr"));
    for field in [&path, &expression] {
        if is_image && !field.is_empty() {
            field.invalid("not allowed in image volume sources");
        }
    }
    if !path.is_empty() {
        check_descending_path(&mounts.get("subPath").holding(&path));
    }
    if !expression.is_empty() {
        if !path.is_empty() {
            expression.invalid("subPathExpr and subPath are mutually exclusive");
        }
        check_descending_path(&mounts.get("subPathExpr").holding(&expression));
    }
}

fn check_propagation(mounts: &Field, mount: &Field, container: &Field) {
    let shown = mounts.get("mountPropagation");
    let propagation = shown.holding(&mount.get("mountPropagation"));
    propagation.may_be_one_of(&PROPAGATIONS);
    let context = container.get("securityContext");
    if propagation.str() == "Bidirectional" && !context.get("privileged").is_true() {
        propagation.forbidden(
            "Bidirectional mount propagation is available only to privileged containers",
        );
    }
}

fn check_recursive_read_only(mounts: &Field, mount: &Field) {
    let shown = mounts.get("recursiveReadOnly");
    let recursive = shown.holding(&mount.get("recursiveReadOnly"));
    recursive.may_be_one_of(&["Disabled", "Enabled", "IfPossible"]);
    if !matches!(recursive.str(), "Enabled" | "IfPossible") {
        return;
    }
    if !mount.get("readOnly").is_true() {
        recursive.forbidden("may only be specified when readOnly is true");
    }
    if !matches!(mount.get("mountPropagation").str(), "" | "None") {
        recursive.forbidden("may only be specified when mountPropagation is None or not specified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(container: Value, want: &[&str]) {
        let volumes = Volumes::from([
            ("data", "persistentVolumeClaim"),
            ("dir", "emptyDir"),
            ("oci", "image"),
        ]);
        let faults = collect(&object(container), |container| {
            super::check(container, &volumes);
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_volume_is_mounted_or_a_device_and_each_path_is_taken_once() {
        check(
            json!({
                "volumeMounts": [{"name": "data", "mountPath": "/a"}, {"name": "dir", "mountPath": "/a"}],
                "volumeDevices": [{"name": "data", "devicePath": "/a"}],
            }),
            &[
                r#"volumeMounts[0].name: Invalid value: "data": must not already exist in volumeDevices"#,
                r#"volumeMounts[0].mountPath: Invalid value: "/a": must not already exist as a path in volumeDevices"#,
                r#"volumeMounts[1].mountPath: Invalid value: "/a": must be unique"#,
                r#"volumeMounts[1].mountPath: Invalid value: "/a": must not already exist as a path in volumeDevices"#,
                r#"volumeDevices[0].name: Invalid value: "data": must not already exist in volumeMounts"#,
                r#"volumeDevices[0].devicePath: Invalid value: "/a": must not already exist as a path in volumeMounts"#,
            ],
        );
    }

    #[test]
    fn a_device_is_that_of_a_claim() {
        check(
            json!({"volumeDevices": [{"name": "dir", "devicePath": "/../d"}, {"name": "none"}]}),
            &[
                r#"volumeDevices[0].name: Invalid value: "dir": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"#,
                r#"volumeDevices[0].devicePath: Invalid value: "/../d": can not contain backsteps ('..')"#,
                r#"volumeDevices[1].name: Not found: "none""#,
                "volumeDevices[1].devicePath: Required value",
            ],
        );
    }

    #[test]
    fn what_is_wrong_with_parts_of_a_mount_is_reported_for_the_list() {
        check(
            json!({"volumeMounts": [
                {"name": "dir", "mountPath": "/a", "subPath": "/b"},
                {"name": "dir", "mountPath": "/c", "recursiveReadOnly": "Enabled", "mountPropagation": "HostToContainer"},
                {"name": "oci", "mountPath": "/d", "subPath": "e"},
            ]}),
            &[
                r#"volumeMounts.subPath: Invalid value: "/b": must be a relative path"#,
                "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
                "volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified",
                r#"volumeMounts[2].subPath: Invalid value: "e": not allowed in image volume sources"#,
            ],
        );
    }
}
