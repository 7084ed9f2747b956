//! The volume `kube-api-access-xxxxx`: a token bound to the pod, the cluster's CA, the namespace.

use std::collections::HashSet;

use k8s_apimachinery::{Object, Value};
use serde_json::json;

use crate::{
    authn::service_account::INJECTED_EXPIRATION,
    registry::{Environment, generated_name},
};

/// Where client libraries look for it.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const PREFIX: &str = "kube-api-access-";

/// Mounts the volume into every container that has nothing of its own at the path, and adds it if a
/// container needs it. A pod that brings a volume of this name keeps it.
pub(super) fn mount(pod: &mut Object, environment: &dyn Environment) {
    let mut taken = HashSet::new();
    let mut name = None;
    for volume in items(pod, "volumes") {
        let each = volume["name"].as_str().unwrap_or_default();
        taken.insert(each.to_owned());
        if each.starts_with(PREFIX) && name.is_none() {
            name = Some(each.to_owned());
        }
    }
    let is_there = name.is_some();
    let name = name.unwrap_or_else(|| {
        loop {
            let name = generated_name(PREFIX, environment);
            if !taken.contains(&name) {
                break name;
            }
        }
    });
    let mut is_needed = false;
    for field in ["initContainers", "containers"] {
        let containers = pod.as_map_mut().get_mut("spec");
        let containers = containers.and_then(|spec| spec.get_mut(field));
        let containers = containers.and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            is_needed |= mount_into(container, &name);
        }
    }
    if is_needed && !is_there {
        let mut volumes = items(pod, "volumes").to_vec();
        volumes.push(volume(&name));
        pod.set(&["spec", "volumes"], Value::Array(volumes));
    }
}

/// Whether the mount was added.
fn mount_into(container: &mut Value, name: &str) -> bool {
    let Some(container) = container.as_object_mut() else {
        return false;
    };
    let mounts = container
        .entry("volumeMounts")
        .or_insert_with(|| Value::Array(Vec::new()));
    let Some(mounts) = mounts.as_array_mut() else {
        return false;
    };
    if mounts.iter().any(|mount| mount["mountPath"] == MOUNT_PATH) {
        return false;
    }
    mounts.push(json!({ "name": name, "readOnly": true, "mountPath": MOUNT_PATH }));
    true
}

fn volume(name: &str) -> Value {
    let namespace = json!({ "apiVersion": "v1", "fieldPath": "metadata.namespace" });
    json!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                { "serviceAccountToken": { "path": "token", "expirationSeconds": INJECTED_EXPIRATION } },
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                    },
                },
                { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": namespace }] } },
            ],
        },
    })
}

fn items<'a>(pod: &'a Object, field: &str) -> &'a [Value] {
    let list = pod.get(&["spec", field]).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}
