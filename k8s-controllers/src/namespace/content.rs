//! Deleting all that is in a namespace: pods first, then everything else that discovery knows.

use std::collections::BTreeSet;

use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams},
    core::discovery::{ApiResource, Scope, verbs},
    discovery::Discovery,
};

use super::plan::Findings;

/// One namespaced resource, and how to empty it.
struct Collection {
    resource: ApiResource,
    deletes_whole: bool,
}

/// Deletes once, and reports what is left. Pods may need what the namespace holds (service
/// accounts, secrets, network policies) until they end, so while there are any, the rest stays.
pub(super) async fn delete_all(client: &Client, namespace: &str) -> Findings {
    let mut findings = Findings::default();
    let collections = match collections(client).await {
        Ok(collections) => collections,
        Err(error) => {
            findings.discovery_error = Some(error.to_string());
            return findings;
        }
    };
    let (pods, rest): (Vec<_>, Vec<_>) = collections
        .into_iter()
        .partition(|collection| collection.is_pods());
    for stage in [pods, rest] {
        for collection in stage {
            if let Err(error) = collection.empty(client, namespace, &mut findings).await {
                findings.errors.push(crate::said(&error));
            }
        }
        if !findings.is_empty() {
            break;
        }
    }
    findings
}

async fn collections(client: &Client) -> Result<Vec<Collection>, kube::Error> {
    let discovery = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(found) => found,
        // A server without aggregated discovery.
        Err(_) => Discovery::new(client.clone()).run().await?,
    };
    let mut seen = BTreeSet::new();
    let mut collections = Vec::new();
    for group in discovery.groups_alphabetical() {
        for (resource, capabilities) in group.recommended_resources() {
            let deletes_whole = capabilities.supports_operation(verbs::DELETE_COLLECTION);
            let is_deletable = deletes_whole || capabilities.supports_operation(verbs::DELETE);
            let is_listed = capabilities.supports_operation(verbs::LIST);
            let is_namespaced = matches!(capabilities.scope, Scope::Namespaced);
            let is_new = seen.insert((resource.group.clone(), resource.plural.clone()));
            if is_namespaced && is_listed && is_deletable && is_new {
                collections.push(Collection {
                    resource,
                    deletes_whole,
                });
            }
        }
    }
    Ok(collections)
}

impl Collection {
    fn is_pods(&self) -> bool {
        self.resource.group.is_empty() && self.resource.plural == "pods"
    }

    async fn empty(
        &self,
        client: &Client,
        namespace: &str,
        findings: &mut Findings,
    ) -> Result<(), kube::Error> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &self.resource);
        // A look first: most resources have nothing in most namespaces.
        let list = api.list_metadata(&ListParams::default()).await?;
        if list.items.is_empty() {
            return Ok(());
        }
        let background = DeleteParams::background();
        if self.deletes_whole {
            api.delete_collection(&background, &ListParams::default())
                .await?;
        } else {
            for item in &list.items {
                let name = item.metadata.name.as_deref().unwrap_or_default();
                match api.delete(name, &background).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    other => drop(other?),
                }
            }
        }
        let left = api.list_metadata(&ListParams::default()).await?.items;
        if !left.is_empty() {
            let name = format!("{}.{}", self.resource.plural, self.resource.group);
            findings.remaining.insert(name, left.len());
        }
        for finalizer in left
            .iter()
            .flat_map(|item| item.metadata.finalizers.iter().flatten())
        {
            *findings.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
        Ok(())
    }
}
