//! Objects that no controller owns: where to find them, and when they may be adopted.

use k8s_runtime::{Context, Object};
use kube::{Api, Resource, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use crate::claim;

/// Index of objects without a controller, by namespace: an owner looks for orphans among these
/// alone instead of going through everything.
pub(crate) const INDEX: &str = "metadata.namespace of orphans";

/// What [`INDEX`] finds an object under.
pub(crate) fn namespace<K: Resource>(object: &K) -> Vec<String> {
    let meta = object.meta();
    match claim::controller_of(meta) {
        None => meta.namespace.iter().cloned().collect(),
        Some(_) => Vec::new(),
    }
}

/// Before adopting: asks the API, not the cache, whether the owner still lives. Adopting for an
/// owner that is being deleted would give the garbage collector more to delete.
pub(crate) async fn check_owner<K>(ctx: &Context, owner: &K) -> Result<(), kube::Error>
where
    K: Object + Resource<Scope = NamespaceResourceScope> + DeserializeOwned,
{
    let meta = owner.meta();
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<K> = Api::namespaced(ctx.client.clone(), namespace);
    let live = api.get(name).await?;
    if live.meta().uid == meta.uid && live.meta().deletion_timestamp.is_none() {
        return Ok(());
    }
    let message = format!("{namespace}/{name} is gone or being deleted and can't adopt");
    let status = kube::core::Status::failure(&message, "Conflict").with_code(409);
    Err(kube::Error::Api(status.boxed()))
}
