//! How many objects there are of each resource that is stored.

use super::Exposition;
use crate::registry::{Endpoint, Registry, key};

/// Writes the counts, from the cache.
pub(crate) fn expose(registry: &Registry, out: &mut Exposition) {
    let mut counts: Vec<(String, String, usize)> = Vec::new();
    for endpoint in registry.resources().all() {
        if let Endpoint::Stored(resource) = endpoint {
            let prefix = key::collection(&resource.row, "");
            let count = registry.cache().count(&prefix);
            let row = &resource.row;
            counts.push((row.group.clone(), row.plural.clone(), count));
        }
    }
    counts.sort();
    out.family(
        "apiserver_resource_objects",
        "gauge",
        "Number of stored objects at the time of last check split by kind.",
    );
    for (group, resource, count) in &counts {
        out.sample(&[("group", group), ("resource", resource)], count);
    }
    out.family(
        "apiserver_storage_objects",
        "gauge",
        "[DEPRECATED, consider using apiserver_resource_objects instead] Number of stored objects at the time of last \
         check split by kind.",
    );
    for (group, resource, count) in &counts {
        let qualified = match group.as_str() {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        };
        out.sample(&[("resource", &qualified)], count);
    }
}
