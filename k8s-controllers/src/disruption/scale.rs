//! How many pods the controller of a pod wants: from the caches for the kinds that most pods have, through the `scale`
//! subresource for any other.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, StatefulSet},
        core::v1::ReplicationController,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use k8s_runtime::{Context, Controller, Informer, Key, Object, Watched};
use kube::{
    Api, Client,
    api::DynamicObject,
    core::{GroupVersion, GroupVersionKind},
    discovery::{self, ApiResource},
};

use super::view::{Found, Scale, View};
use crate::{claim, said};

/// Where the wishes of controllers are.
#[derive(Clone)]
pub(super) struct Scales {
    client: Client,
    deployments: Informer<Deployment>,
    replica_sets: Informer<ReplicaSet>,
    stateful_sets: Informer<StatefulSet>,
    replication_controllers: Informer<ReplicationController>,
}

impl Scales {
    pub(super) fn new(ctx: &Context) -> Self {
        Self {
            client: ctx.client.clone(),
            deployments: ctx.hub.informer(),
            replica_sets: ctx.hub.informer(),
            stateful_sets: ctx.hub.informer(),
            replication_controllers: ctx.hub.informer(),
        }
    }

    /// Has the controller wait until all caches are filled.
    pub(super) fn read_by(&self, controller: Controller) -> Controller {
        controller
            .reads(&self.deployments)
            .reads(&self.replica_sets)
            .reads(&self.stateful_sets)
            .reads(&self.replication_controllers)
    }

    /// The wishes of all controllers of the view's pods, by the uid in the pods' references.
    pub(super) async fn of_all(&self, view: &View) -> BTreeMap<String, Found> {
        let mut found = BTreeMap::new();
        for pod in &view.pods {
            if let Some(owner) = claim::controller_of(&pod.metadata)
                && !found.contains_key(&owner.uid)
            {
                let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
                found.insert(owner.uid.clone(), self.of(namespace, owner).await);
            }
        }
        found
    }

    async fn of(&self, namespace: &str, owner: &OwnerReference) -> Found {
        let (group, _) = owner
            .api_version
            .split_once('/')
            .unwrap_or(("", &owner.api_version));
        let cached = match (group, owner.kind.as_str()) {
            ("", "ReplicationController") => {
                let found = live(&self.replication_controllers, namespace, owner);
                found.map(|it| scale(owner, it.spec.as_ref().and_then(|spec| spec.replicas)))
            }
            ("apps" | "extensions", "ReplicaSet") => self.of_replica_set(namespace, owner),
            ("apps", "StatefulSet") => {
                let found = live(&self.stateful_sets, namespace, owner);
                found.map(|it| scale(owner, it.spec.replicas))
            }
            _ => None,
        };
        match cached {
            Some(scale) => Ok(Some(scale)),
            None => self.asked(namespace, owner).await,
        }
    }

    /// A set that belongs to a Deployment is only a part of it.
    fn of_replica_set(&self, namespace: &str, owner: &OwnerReference) -> Option<Scale> {
        let set = live(&self.replica_sets, namespace, owner)?;
        match claim::controller_of(&set.metadata) {
            Some(above) if above.kind == "Deployment" => {
                let deployment = live(&self.deployments, namespace, above)?;
                Some(scale(above, deployment.spec.replicas))
            }
            _ => Some(scale(owner, set.spec.replicas)),
        }
    }

    /// What the `scale` subresource says, if the kind has one.
    async fn asked(&self, namespace: &str, owner: &OwnerReference) -> Found {
        let refused = |error: kube::Error| said(&error);
        let version: GroupVersion = owner
            .api_version
            .parse()
            .map_err(|_| format!("unexpected GroupVersion string: {}", owner.api_version))?;
        let gvk: GroupVersionKind = version.with_kind(&owner.kind);
        let (resource, capabilities) = match discovery::pinned_kind(&self.client, &gvk).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => return Err(no_match(owner)),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Err(no_match(owner)),
            Err(error) => return Err(refused(error)),
        };
        let parts = capabilities.subresources.iter();
        let has_scale = parts
            .map(|(part, _)| part)
            .any(|part| part.plural.rsplit('/').next() == Some("scale") && part.kind == "Scale");
        if !has_scale {
            return Err(format!(
                "{} does not implement the scale subresource",
                group_resource(&resource)
            ));
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        match api.get_scale(&owner.name).await {
            Ok(found) if found.metadata.uid.as_ref() == Some(&owner.uid) => Ok(Some(scale(
                owner,
                found.spec.and_then(|spec| spec.replicas),
            ))),
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }
}

/// The object that a reference means, not a successor of the same name.
fn live<K: Object + Watched>(
    informer: &Informer<K>,
    namespace: &str,
    owner: &OwnerReference,
) -> Option<std::sync::Arc<K>> {
    let found = informer.store().get(&Key::new(namespace, &owner.name))?;
    (found.meta().uid.as_ref() == Some(&owner.uid)).then_some(found)
}

fn scale(owner: &OwnerReference, replicas: Option<i32>) -> Scale {
    Scale {
        uid: owner.uid.clone(),
        replicas: replicas.unwrap_or(0),
    }
}

fn no_match(owner: &OwnerReference) -> String {
    format!(
        "no matches for kind {:?} in version {:?}",
        owner.kind, owner.api_version
    )
}

/// `daemonsets.apps`, as messages name it.
fn group_resource(resource: &ApiResource) -> String {
    match resource.group.as_str() {
        "" => resource.plural.clone(),
        group => format!("{}.{group}", resource.plural),
    }
}
