//! Objects that belong to how this cluster is set up, rather than to any component: applied at each start.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::token::Token;

/// What machines need that join.
const JOINING: &str = include_str!("../manifests/joining.yaml");
/// Who the fields belong to.
const MANAGER: &str = "cluster";
/// Between attempts while the API doesn't take them.
const PAUSE: Duration = Duration::from_secs(1);

/// Applies them until all are there. The client is the administrator's.
pub(crate) async fn run(client: Client, kubeconfig: String, token: Option<Token>) {
    let mut objects = match documents(JOINING) {
        Ok(objects) => objects,
        Err(error) => return tracing::error!(%error, "the cluster's own manifests"),
    };
    objects.push(cluster_info(&kubeconfig));
    objects.extend(token.iter().map(secret));
    while let Err(error) = apply(&client, &objects).await {
        tracing::warn!(error = format!("{error:#}"), "setting up again");
        tokio::time::sleep(PAUSE).await;
    }
}

fn documents(manifest: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest)?;
    Ok(documents)
}

/// What a machine that only has a token reads, and knows by the token to be true.
fn cluster_info(kubeconfig: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "cluster-info", "namespace": "kube-public" },
        "data": { "kubeconfig": kubeconfig },
    })
}

/// A token, as the API server believes it.
fn secret(token: &Token) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": { "name": format!("bootstrap-token-{}", token.id), "namespace": "kube-system" },
        "stringData": {
            "token-id": token.id,
            "token-secret": token.secret,
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            "description": "For the nodes of this cluster.",
        },
    })
}

async fn apply(client: &Client, objects: &[Value]) -> Result<()> {
    for object in objects {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let types = object.types.clone().context("an object says its kind")?;
        let gvk = GroupVersionKind::try_from(types)?;
        let resource = ApiResource::from_gvk(&gvk);
        let name = object.metadata.name.clone().unwrap_or_default();
        let api: Api<DynamicObject> = match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let params = PatchParams::apply(MANAGER).force();
        api.patch(&name, &params, &Patch::Apply(&object))
            .await
            .with_context(|| format!("{} {name}", gvk.kind))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_are_objects_with_names() {
        let objects = documents(JOINING).unwrap();
        assert_eq!(objects.len(), 9);
        for object in objects {
            assert!(object["kind"].is_string() && object["metadata"]["name"].is_string());
        }
    }
}
