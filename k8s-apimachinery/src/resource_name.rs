//! What the name of a resource (`cpu`, `requests.storage`, `example.com/gpu`) says about it.

use crate::name;

/// What quotas call a request: `requests.cpu`.
pub const REQUESTS: &str = "requests.";
/// Memory in pages of a size: `hugepages-2Mi`.
pub const HUGE_PAGES: &str = "hugepages-";

/// What a container may request and limit, huge pages apart.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// What only quotas know, counted in wholes.
const COUNTS: [&str; 9] = [
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
/// What only quotas know, in the unit of what is requested or limited.
const AMOUNTS: [&str; 7] = [
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "requests.storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// Whether it is Kubernetes' own: without a domain, or of `kubernetes.io`.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether it is somebody else's, such as a device: counted in wholes, never overcommitted.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with(REQUESTS)
        && name::qualified_name(&format!("{REQUESTS}{name}")).is_empty()
}

/// Whether less may be requested than is limited: not of huge pages and extended resources.
pub fn may_overcommit(name: &str) -> bool {
    is_native(name) && !name.starts_with(HUGE_PAGES)
}

/// Whether containers may ask for it, as far as names without a domain go.
pub fn is_of_containers(name: &str) -> bool {
    OF_CONTAINERS.contains(&name) || name.starts_with(HUGE_PAGES)
}

/// Whether quotas know it, as far as names without a domain go.
pub fn is_of_quotas(name: &str) -> bool {
    OF_CONTAINERS.contains(&name)
        || COUNTS.contains(&name)
        || AMOUNTS.contains(&name)
        || name
            .strip_prefix(REQUESTS)
            .unwrap_or(name)
            .starts_with(HUGE_PAGES)
}

/// Whether Kubernetes knows it at all, as far as names without a domain go.
pub fn is_standard(name: &str) -> bool {
    name == "storage" || is_of_quotas(name)
}

/// Whether fractions of it make no sense.
pub fn is_whole(name: &str) -> bool {
    COUNTS.contains(&name) || is_extended(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_tell_whose_a_resource_is() {
        for (name, native, extended) in [
            ("cpu", true, false),
            ("kubernetes.io/batteries", true, false),
            ("example.com/gpu", false, true),
            ("requests.example.com/gpu", false, false),
            (
                "gold.storageclass.storage.k8s.io/requests.storage",
                false,
                true,
            ),
            ("count/deployments.apps", false, true),
        ] {
            assert_eq!(
                (is_native(name), is_extended(name)),
                (native, extended),
                "{name}"
            );
        }
    }

    #[test]
    fn quotas_know_more_than_containers() {
        for (name, containers, quotas, standard) in [
            ("memory", true, true, true),
            ("hugepages-2Mi", true, true, true),
            ("requests.hugepages-2Mi", false, true, true),
            ("limits.hugepages-2Mi", false, false, false),
            ("requests.storage", false, true, true),
            ("storage", false, false, true),
            ("services.nodeports", false, true, true),
            ("batteries", false, false, false),
        ] {
            let found = (
                is_of_containers(name),
                is_of_quotas(name),
                is_standard(name),
            );
            assert_eq!(found, (containers, quotas, standard), "{name}");
        }
    }
}
