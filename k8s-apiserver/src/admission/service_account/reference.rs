//! Which secrets a pod refers to, and whether its account refers to them too.

use std::collections::BTreeSet;

use k8s_apimachinery::{Object, Value};

use crate::authz::node::references;

/// Which containers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Volumes, containers, pull secrets.
    All,
    /// The ephemeral containers alone: the rest was checked when the pod was made.
    Ephemeral,
}

/// Whether the pod refers to any secret.
pub(super) fn has_secrets(pod: &Object) -> bool {
    !references::of_pod(pod).secrets.is_empty()
}

/// Whether a volume of the pod asks for a token.
pub(super) fn projects_token(pod: &Object) -> bool {
    items(pod, &["spec", "volumes"]).iter().any(|volume| {
        let sources = volume["projected"]["sources"].as_array();
        sources
            .into_iter()
            .flatten()
            .any(|source| source.get("serviceAccountToken").is_some())
    })
}

/// Refuses references to secrets that the account doesn't name.
pub(super) fn check(pod: &Object, account: &Object, which: Which) -> Result<(), String> {
    let mountable = names(account, "secrets");
    let by = account.name();
    if which == Which::Ephemeral {
        return check_containers(
            pod,
            "ephemeralContainers",
            "Ephemeral container",
            &mountable,
            by,
        );
    }
    for volume in items(pod, &["spec", "volumes"]) {
        if let Some(secret) = volume["secret"]["secretName"].as_str()
            && !mountable.contains(secret)
        {
            return Err(format!(
                "volume with secret.secretName={secret:?} is not allowed because service account {by} does not \
                 reference that secret"
            ));
        }
    }
    check_containers(pod, "initContainers", "init container", &mountable, by)?;
    check_containers(pod, "containers", "container", &mountable, by)?;
    let pulls = names(account, "imagePullSecrets");
    for (index, pull) in items(pod, &["spec", "imagePullSecrets"]).iter().enumerate() {
        let name = pull["name"].as_str().unwrap_or_default();
        if !pulls.contains(name) {
            return Err(format!(
                "imagePullSecrets[{index}].name={name:?} is not allowed because service account {by} does not \
                 reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

fn check_containers(
    pod: &Object,
    field: &str,
    what: &str,
    mountable: &BTreeSet<&str>,
    by: &str,
) -> Result<(), String> {
    for container in items(pod, &["spec", field]) {
        let name = container["name"].as_str().unwrap_or_default();
        for env in container["env"].as_array().into_iter().flatten() {
            if let Some(secret) = env["valueFrom"]["secretKeyRef"]["name"].as_str()
                && !mountable.contains(secret)
            {
                let env = env["name"].as_str().unwrap_or_default();
                return Err(format!(
                    "{what} {name} with envVar {env} referencing secret.secretName={secret:?} is not allowed because \
                     service account {by} does not reference that secret"
                ));
            }
        }
        for from in container["envFrom"].as_array().into_iter().flatten() {
            if let Some(secret) = from["secretRef"]["name"].as_str()
                && !mountable.contains(secret)
            {
                return Err(format!(
                    "{what} {name} with envFrom referencing secret.secretName={secret:?} is not allowed because \
                     service account {by} does not reference that secret"
                ));
            }
        }
    }
    Ok(())
}

fn names<'a>(account: &'a Object, field: &str) -> BTreeSet<&'a str> {
    let list = items(account, &[field]).iter();
    list.filter_map(|each| each["name"].as_str()).collect()
}

fn items<'a>(object: &'a Object, path: &[&str]) -> &'a [Value] {
    let list = object.get(path).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}
