//! From a manifest on the node to a static pod. Pure.

use k8s_apimachinery::{
    Object, api,
    scheme::{Gvk, codec},
};
use k8s_openapi::api::core::v1::{Pod, Toleration};

use super::{References, annotation};

/// A file that defines no static pod.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ManifestError {
    /// Neither YAML nor JSON.
    #[error("couldn't parse as pod: {0}")]
    Syntax(String),
    /// Another kind of object.
    #[error("couldn't parse as pod: {0} is no v1 Pod")]
    Kind(String),
    /// A pod that the API wouldn't take.
    #[error("invalid pod: [{0}]")]
    Invalid(String),
    /// A pod that needs the API's objects.
    #[error("static pods can not reference {0}")]
    Reference(&'static str),
}

/// The static pod that a file defines for a node: named after it, known by what it says.
pub(super) fn parse(text: &[u8], path: &str, node: &str) -> Result<Pod, ManifestError> {
    let (value, _) =
        codec::decode_yaml(text).map_err(|error| ManifestError::Syntax(error.to_string()))?;
    let field = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let (version, kind) = (field("apiVersion"), field("kind"));
    if (version.as_str(), kind.as_str()) != ("v1", "Pod") {
        return Err(ManifestError::Kind(format!("{version} {kind}")));
    }
    let uid = hash(&[node, path, &value.to_string()]);
    let mut object =
        Object::from_value(value).map_err(|error| ManifestError::Syntax(error.to_string()))?;
    let rules = api::rules(&Gvk::new("", "v1", "Pod"));
    if let Some(rules) = rules {
        rules.default(&mut object);
    }
    let mut pod: Pod = serde_json::from_value(object.into_value())
        .map_err(|error| ManifestError::Syntax(error.to_string()))?;
    settle(&mut pod, uid, node);
    let value = serde_json::to_value(&pod).unwrap_or_default();
    let faults = match (rules, Object::from_value(value)) {
        (Some(rules), Ok(object)) => rules.validate(&object),
        _ => Vec::new(),
    };
    if !faults.is_empty() {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        return Err(ManifestError::Invalid(faults.join(", ")));
    }
    refuse_references(&pod)?;
    Ok(pod)
}

fn settle(pod: &mut Pod, uid: String, node: &str) {
    let meta = &mut pod.metadata;
    let uid = meta
        .uid
        .clone()
        .filter(|uid| !uid.is_empty())
        .unwrap_or(uid);
    let name = meta.name.take().unwrap_or_default();
    meta.name = Some(format!("{name}-{}", node.to_lowercase()));
    meta.namespace.get_or_insert_with(|| "default".to_owned());
    let annotations = meta.annotations.get_or_insert_default();
    annotations.insert(annotation::SOURCE.into(), "file".into());
    annotations.insert(annotation::HASH.into(), uid.clone());
    meta.uid = Some(uid);
    let spec = pod.spec.get_or_insert_default();
    spec.node_name = Some(node.to_owned());
    // Trouble with the node doesn't put it out: nothing would bring it back.
    spec.tolerations.get_or_insert_default().push(Toleration {
        operator: Some("Exists".into()),
        effect: Some("NoExecute".into()),
        ..Toleration::default()
    });
}

/// A static pod has to run without the API.
fn refuse_references(pod: &Pod) -> Result<(), ManifestError> {
    let Some(spec) = &pod.spec else { return Ok(()) };
    let found = References::of_pod(spec);
    if !found.config_maps.is_empty() {
        return Err(ManifestError::Reference("configmaps"));
    }
    if !found.secrets.is_empty() {
        return Err(ManifestError::Reference("secrets"));
    }
    if spec
        .service_account_name
        .as_deref()
        .is_some_and(|name| !name.is_empty())
    {
        return Err(ManifestError::Reference("serviceaccounts"));
    }
    Ok(())
}

/// FNV-1a over 128 bits, each part apart from the next: stable across versions and machines.
fn hash(parts: &[&str]) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "
        apiVersion: v1
        kind: Pod
        metadata: {name: web}
        spec: {containers: [{name: c, image: 'x:1'}]}
    ";

    fn pod(text: &str, path: &str, node: &str) -> Pod {
        parse(text.as_bytes(), path, node).unwrap()
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = parse(text.as_bytes(), "/m", "n").unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn it_belongs_to_its_node_and_has_defaults() {
        let pod = pod(WEB, "/m/web.yaml", "n1");
        let meta = &pod.metadata;
        assert_eq!(meta.name.as_deref(), Some("web-n1"));
        assert_eq!(meta.namespace.as_deref(), Some("default"));
        let uid = meta.uid.as_deref().unwrap();
        assert_eq!(uid.len(), 32);
        assert_eq!(annotation::get(&pod, annotation::HASH), Some(uid));
        assert!(annotation::is_static(&pod) && !annotation::is_mirror(&pod));
        let spec = pod.spec.as_ref().unwrap();
        assert_eq!(spec.node_name.as_deref(), Some("n1"));
        assert_eq!(spec.restart_policy.as_deref(), Some("Always"));
        let toleration = spec.tolerations.as_ref().unwrap().last().unwrap();
        assert_eq!(toleration.effect.as_deref(), Some("NoExecute"));
    }

    #[test]
    fn its_uid_follows_from_what_it_says_where_it_lies_and_the_node() {
        let uid = |text: &str, path: &str, node: &str| pod(text, path, node).metadata.uid.unwrap();
        let first = uid(WEB, "/m", "n");
        assert_eq!(first, uid(&format!("# A remark.\n{WEB}"), "/m", "n"));
        assert_ne!(first, uid(&WEB.replace("x:1", "x:2"), "/m", "n"));
        assert_ne!(first, uid(WEB, "/n", "n"));
        assert_ne!(first, uid(WEB, "/m", "o"));
    }

    #[test]
    fn what_the_api_would_not_take_is_refused() {
        refused(
            &WEB.replace("Pod", "Service"),
            "couldn't parse as pod: v1 Service is no v1 Pod",
        );
        refused(
            &WEB.replace("'x:1'", "''"),
            "invalid pod: [spec.containers[0].image: Required value]",
        );
        refused(
            &WEB.replace("containers:", "serviceAccountName: robot, containers:"),
            "static pods can not reference serviceaccounts",
        );
        refused(
            &WEB.replace("image:", "envFrom: [{secretRef: {name: s}}], image:"),
            "static pods can not reference secrets",
        );
    }
}
