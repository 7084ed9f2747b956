//! What a pod, and a volume that it uses, refer to by name.

use std::collections::BTreeSet;

use k8s_apimachinery::{Object, Value};

/// Names of objects in the pod's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) account: String,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) config_maps: BTreeSet<String>,
    pub(crate) volume_claims: BTreeSet<String>,
    pub(crate) resource_claims: BTreeSet<String>,
}

/// The volume sources that name a secret, and the field that does.
const SECRET_SOURCES: [(&str, &[&str]); 10] = [
    ("secret", &["secretName"]),
    ("azureFile", &["secretName"]),
    ("cephfs", &["secretRef", "name"]),
    ("cinder", &["secretRef", "name"]),
    ("csi", &["nodePublishSecretRef", "name"]),
    ("flexVolume", &["secretRef", "name"]),
    ("iscsi", &["secretRef", "name"]),
    ("rbd", &["secretRef", "name"]),
    ("scaleIO", &["secretRef", "name"]),
    ("storageos", &["secretRef", "name"]),
];

/// All that the pod refers to, its status included, where claims made for it are named.
pub(crate) fn of_pod(pod: &Object) -> References {
    let mut found = References {
        account: pod
            .str(&["spec", "serviceAccountName"])
            .unwrap_or_default()
            .to_owned(),
        ..References::default()
    };
    for pull in items(pod, &["spec", "imagePullSecrets"]) {
        insert(&mut found.secrets, &pull["name"]);
    }
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        for container in items(pod, &["spec", field]) {
            for env in list(&container["env"]) {
                let from = &env["valueFrom"];
                insert(&mut found.secrets, &from["secretKeyRef"]["name"]);
                insert(&mut found.config_maps, &from["configMapKeyRef"]["name"]);
            }
            for from in list(&container["envFrom"]) {
                insert(&mut found.secrets, &from["secretRef"]["name"]);
                insert(&mut found.config_maps, &from["configMapRef"]["name"]);
            }
        }
    }
    for volume in items(pod, &["spec", "volumes"]) {
        of_volume(volume, pod.name(), &mut found);
    }
    for claim in items(pod, &["spec", "resourceClaims"]) {
        insert(&mut found.resource_claims, &claim["resourceClaimName"]);
    }
    for claim in items(pod, &["status", "resourceClaimStatuses"]) {
        insert(&mut found.resource_claims, &claim["resourceClaimName"]);
    }
    insert(
        &mut found.resource_claims,
        pod.get(&["status", "extendedResourceClaimStatus", "resourceClaimName"])
            .unwrap_or(&Value::Null),
    );
    found
}

fn of_volume(volume: &Value, pod: &str, found: &mut References) {
    for (source, path) in SECRET_SOURCES {
        let name = path.iter().fold(&volume[source], |at, field| &at[*field]);
        insert(&mut found.secrets, name);
    }
    insert(&mut found.config_maps, &volume["configMap"]["name"]);
    insert(
        &mut found.volume_claims,
        &volume["persistentVolumeClaim"]["claimName"],
    );
    if volume.get("ephemeral").is_some() {
        let name = volume["name"].as_str().unwrap_or_default();
        found.volume_claims.insert(format!("{pod}-{name}"));
    }
    for source in list(&volume["projected"]["sources"]) {
        insert(&mut found.secrets, &source["secret"]["name"]);
        insert(&mut found.config_maps, &source["configMap"]["name"]);
    }
}

/// The secrets that a persistent volume needs on a node, by namespace and name. Where it names no
/// namespace, the claim's counts.
pub(crate) fn secrets_of_volume(volume: &Object) -> Vec<(String, String)> {
    let claims = volume.str(&["spec", "claimRef", "namespace"]);
    let claims = claims.unwrap_or_default();
    let mut found = Vec::new();
    let mut add = |namespace: &Value, name: &Value| {
        if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
            let namespace = namespace.as_str().filter(|text| !text.is_empty());
            found.push((namespace.unwrap_or(claims).to_owned(), name.to_owned()));
        }
    };
    let none = Value::Null;
    let spec = volume.get(&["spec"]).unwrap_or(&none);
    let azure = &spec["azureFile"];
    add(&azure["secretNamespace"], &azure["secretName"]);
    for source in [
        "cephfs",
        "cinder",
        "flexVolume",
        "iscsi",
        "rbd",
        "scaleIO",
        "storageos",
    ] {
        let reference = &spec[source]["secretRef"];
        add(&reference["namespace"], &reference["name"]);
    }
    for field in [
        "nodePublishSecretRef",
        "nodeStageSecretRef",
        "nodeExpandSecretRef",
    ] {
        let reference = &spec["csi"][field];
        add(&reference["namespace"], &reference["name"]);
    }
    found
}

fn insert(names: &mut BTreeSet<String>, name: &Value) {
    if let Some(name) = name.as_str().filter(|name| !name.is_empty()) {
        names.insert(name.to_owned());
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn items<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    object.get(path).map_or(&[], list)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_a_pod_names_is_found() {
        let pod = Object::from_value(json!({
            "metadata": { "name": "web" },
            "spec": {
                "serviceAccountName": "builder",
                "imagePullSecrets": [{ "name": "pull" }],
                "initContainers": [{ "envFrom": [{ "secretRef": { "name": "from" } }] }],
                "containers": [{
                    "env": [
                        { "valueFrom": { "secretKeyRef": { "name": "key" } } },
                        { "valueFrom": { "configMapKeyRef": { "name": "map-key" } } },
                    ],
                    "envFrom": [{ "configMapRef": { "name": "map-from" } }],
                }],
                "ephemeralContainers": [{ "envFrom": [{ "secretRef": { "name": "debug" } }] }],
                "volumes": [
                    { "name": "a", "secret": { "secretName": "mounted" } },
                    { "name": "b", "configMap": { "name": "map" } },
                    { "name": "c", "csi": { "nodePublishSecretRef": { "name": "csi" } } },
                    { "name": "d", "persistentVolumeClaim": { "claimName": "claim" } },
                    { "name": "e", "ephemeral": {} },
                    { "name": "f", "projected": { "sources": [
                        { "secret": { "name": "projected" } },
                        { "configMap": { "name": "map-projected" } },
                    ] } },
                ],
                "resourceClaims": [{ "resourceClaimName": "gpu" }],
            },
            "status": { "resourceClaimStatuses": [{ "resourceClaimName": "gpu-made" }] },
        }));
        let found = of_pod(&pod.unwrap());
        let names = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(found.account, "builder");
        assert_eq!(
            names(&found.secrets),
            "csi debug from key mounted projected pull"
        );
        assert_eq!(
            names(&found.config_maps),
            "map map-from map-key map-projected"
        );
        assert_eq!(names(&found.volume_claims), "claim web-e");
        assert_eq!(names(&found.resource_claims), "gpu gpu-made");
    }

    #[test]
    fn a_volumes_secret_is_in_the_claims_namespace_unless_it_says_otherwise() {
        let volume = Object::from_value(json!({ "spec": {
            "claimRef": { "namespace": "shop", "name": "data" },
            "azureFile": { "secretName": "azure" },
            "csi": { "nodeStageSecretRef": { "namespace": "storage", "name": "stage" } },
        } }));
        let found = secrets_of_volume(&volume.unwrap());
        let found: Vec<_> = found.iter().map(|(a, b)| format!("{a}/{b}")).collect();
        assert_eq!(found, ["shop/azure", "storage/stage"]);
    }
}
