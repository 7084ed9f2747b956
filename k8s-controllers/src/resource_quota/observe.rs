//! The view: all objects of one kind in a namespace, as they are at a revision or later.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_apimachinery::{
    Object,
    quota::{Evaluator, Footprint, pod},
};
use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::Store;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};

use crate::garbage_collector::resource::{Resource, Resources};

/// What was seen of one kind.
pub(super) struct Observed {
    /// What counts it.
    pub(super) evaluator: Evaluator,
    /// One per object.
    pub(super) footprints: Vec<Footprint>,
    /// When one of them gets cheaper by itself.
    pub(super) overdue: Option<Timestamp>,
}

/// Looks at objects: at pods in the shared store, if that is new enough, and at all else by listing it, which the API
/// answers with what is newest.
pub(super) struct Observer {
    client: Client,
    pods: Store<Pod>,
    resources: Mutex<Resources>,
}

impl Observer {
    pub(super) fn new(client: Client, pods: Store<Pod>) -> Self {
        Self {
            client,
            pods,
            resources: Mutex::default(),
        }
    }

    /// Where the API serves what the evaluator counts. Discovery is asked again for what it didn't know.
    pub(super) async fn find(
        &self,
        evaluator: &Evaluator,
    ) -> Result<Option<Arc<Resource>>, kube::Error> {
        if let Some(known) = self.known(evaluator) {
            return Ok(Some(known));
        }
        let found = Resources::discover(self.client.clone()).await?;
        self.set_resources(found);
        Ok(self.known(evaluator))
    }

    /// All there is in the namespace at `revision` or later; `None` if nothing like it is served.
    pub(super) async fn observe(
        &self,
        evaluator: &Evaluator,
        namespace: &str,
        revision: u64,
        now: Timestamp,
    ) -> Result<Option<Observed>, kube::Error> {
        let Some(resource) = self.find(evaluator).await? else {
            return Ok(None);
        };
        let is_pods = evaluator.group.is_empty() && evaluator.plural == "pods";
        let mut overdue = None;
        let footprints = if is_pods {
            let pods = self.pods(namespace, revision).await?;
            let due = pods.iter().filter_map(|pod| pod::overdue_from(pod));
            overdue = due.filter(|due| *due >= now).min();
            pods.iter().map(|pod| pod::footprint(pod, now)).collect()
        } else {
            match self.list(evaluator, &resource, namespace, now).await {
                // No longer served.
                Err(kube::Error::Api(status)) if status.is_not_found() => {
                    self.set_resources(Resources::default());
                    return Ok(None);
                }
                listed => listed?,
            }
        };
        Ok(Some(Observed {
            evaluator: evaluator.clone(),
            footprints,
            overdue,
        }))
    }

    async fn pods(&self, namespace: &str, revision: u64) -> Result<Vec<Arc<Pod>>, kube::Error> {
        if self.pods.revision() >= revision {
            return Ok(self.pods.list_in(namespace));
        }
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let list = api.list(&ListParams::default()).await?;
        Ok(list.items.into_iter().map(Arc::new).collect())
    }

    async fn list(
        &self,
        evaluator: &Evaluator,
        resource: &Resource,
        namespace: &str,
        now: Timestamp,
    ) -> Result<Vec<Footprint>, kube::Error> {
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource.api);
        let params = ListParams::default();
        if evaluator.counts_alone() {
            let count = api.list_metadata(&params).await?.items.len();
            let each = evaluator.footprint(&Object::default(), now);
            return Ok(vec![each; count]);
        }
        let items = api.list(&params).await?.items;
        let footprints = items.iter().map(|item| {
            let tree = serde_json::to_value(item).map_err(kube::Error::SerdeError)?;
            // What a list holds are JSON objects.
            let object = Object::from_value(tree).unwrap_or_default();
            Ok(evaluator.footprint(&object, now))
        });
        footprints.collect()
    }

    fn known(&self, evaluator: &Evaluator) -> Option<Arc<Resource>> {
        let resources = self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut resources = resources.iter();
        resources
            .find(|resource| {
                resource.is_namespaced
                    && resource.api.group == evaluator.group
                    && resource.api.plural == evaluator.plural
            })
            .cloned()
    }

    fn set_resources(&self, found: Resources) {
        *self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = found;
    }
}
