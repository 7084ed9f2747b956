//! Adding up what is there.

use super::{Evaluator, Footprint, Quota};
use crate::{Quantity, ResourceList};

/// What objects of one kind use of what the quota is to limit: an amount, be it zero, for each name that the kind uses.
pub fn count<'a>(
    quota: &Quota,
    evaluator: &Evaluator,
    footprints: impl IntoIterator<Item = &'a Footprint>,
) -> ResourceList {
    let wanted = |name: &str| evaluator.tracks(name) && quota.wanted.contains(name);
    let names = quota.wanted.names().filter(|name| wanted(name));
    let mut used: ResourceList = names
        .map(|name| (name.to_owned(), Quantity::ZERO))
        .collect();
    for footprint in footprints {
        if quota.covers(&footprint.scopes) {
            used.add(&footprint.usage.only(wanted));
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quota::testing::{footprint, object};

    #[test]
    fn what_is_covered_is_added_up() {
        let quota = Quota::read(&object(json!({
            "spec": {
                "hard": {"pods": "9", "limits.cpu": "9", "count/pods": "9", "secrets": "9"},
                "scopes": ["NotBestEffort"],
            },
        })));
        let pod = |resources, phase| {
            let pod = json!({
                "spec": {"containers": [{"name": "c", "resources": resources}]},
                "status": {"phase": phase},
            });
            footprint("", "pods", pod)
        };
        let big = || json!({"limits": {"cpu": "1500m"}, "requests": {"cpu": "1500m"}});
        let all = [
            pod(big(), "Running"),
            pod(big(), "Succeeded"),
            pod(json!({}), "Running"),
        ];
        let pods = Evaluator::of("", "pods").expect("pods are counted");
        let used = count(&quota, &pods, &all);
        assert_eq!(used.to_string(), "count/pods=2,limits.cpu=1500m,pods=1");
        let used = count(&quota, &pods, []);
        assert_eq!(used.to_string(), "count/pods=0,limits.cpu=0,pods=0");
    }
}
