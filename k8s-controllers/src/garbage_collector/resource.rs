//! Which resources there are to collect: whatever discovery says can be listed, watched and deleted.

use std::{collections::BTreeMap, sync::Arc};

use kube::{
    Client,
    core::discovery::{ApiResource, Scope, verbs},
    discovery::Discovery,
};

/// A kind of object as the API serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) api: ApiResource,
    pub(crate) is_namespaced: bool,
}

impl Default for Resource {
    fn default() -> Self {
        let api = ApiResource {
            group: String::new(),
            version: "v1".into(),
            api_version: "v1".into(),
            kind: String::new(),
            plural: String::new(),
        };
        Self {
            api,
            is_namespaced: true,
        }
    }
}

/// All collectable resources, by group and kind.
#[derive(Clone, Default)]
pub(crate) struct Resources {
    by_kind: BTreeMap<(String, String), Arc<Resource>>,
}

impl Resources {
    /// Asks the API, each group in its preferred version.
    pub(crate) async fn discover(client: Client) -> Result<Self, kube::Error> {
        let discovery = match Discovery::new(client.clone()).run_aggregated().await {
            Ok(found) => found,
            // A server without aggregated discovery.
            Err(_) => Discovery::new(client).run().await?,
        };
        let mut by_kind = BTreeMap::new();
        let found = discovery
            .groups_alphabetical()
            .into_iter()
            .flat_map(|group| group.recommended_resources());
        for (api, capabilities) in found {
            let needed = [verbs::LIST, verbs::WATCH, verbs::DELETE];
            let is_event = api.kind == "Event";
            if is_event
                || !needed
                    .iter()
                    .all(|verb| capabilities.supports_operation(verb))
            {
                continue;
            }
            let is_namespaced = matches!(capabilities.scope, Scope::Namespaced);
            let key = (api.group.clone(), api.kind.clone());
            by_kind.insert(key, Arc::new(Resource { api, is_namespaced }));
        }
        Ok(Self { by_kind })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.by_kind.values()
    }

    /// The resource that an owner reference speaks of, whatever its version.
    pub(crate) fn find(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.by_kind.get(&(group.to_owned(), kind.to_owned()))
    }
}
