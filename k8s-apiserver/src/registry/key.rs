//! Where objects lie in the store: Kubernetes' own key layout, odd prefixes included.

use bytes::Bytes;

use super::KindRow;

/// Everything that the server stores lies below this.
pub const ROOT: &str = "/registry/";

/// Allocations lie below this: one key per address or port that is taken.
pub const RANGES: &str = "/registry/ranges/";

/// The key of one object: `/registry/pods/default/web`, `/registry/minions/n1`.
pub(crate) fn object(row: &KindRow, namespace: &str, name: &str) -> Bytes {
    let prefix = &row.storage_prefix;
    Bytes::from(match (row.namespaced, namespace) {
        (true, namespace) => format!("{ROOT}{prefix}/{namespace}/{name}"),
        (false, _) => format!("{ROOT}{prefix}/{name}"),
    })
}

/// The prefix of a collection: of one namespace, or with an empty `namespace` of all.
pub(crate) fn collection(row: &KindRow, namespace: &str) -> Bytes {
    let prefix = &row.storage_prefix;
    Bytes::from(match namespace {
        namespace if row.namespaced && !namespace.is_empty() => {
            format!("{ROOT}{prefix}/{namespace}/")
        }
        _ => format!("{ROOT}{prefix}/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_laid_out_as_in_kubernetes() {
        let pods = KindRow::new("", "v1", "Pod", "pods");
        let nodes = KindRow::new("", "v1", "Node", "nodes")
            .cluster_scoped()
            .storage_prefix("minions");
        let services =
            KindRow::new("", "v1", "Service", "services").storage_prefix("services/specs");
        assert_eq!(object(&pods, "a", "p"), "/registry/pods/a/p");
        assert_eq!(object(&nodes, "", "n"), "/registry/minions/n");
        assert_eq!(object(&services, "a", "s"), "/registry/services/specs/a/s");
        assert_eq!(collection(&pods, ""), "/registry/pods/");
        assert_eq!(collection(&pods, "a"), "/registry/pods/a/");
        assert_eq!(collection(&nodes, ""), "/registry/minions/");
    }
}
