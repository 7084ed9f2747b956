//! What a claim of devices costs: itself, and as many devices of each class as it may be given (KEP-4381).

use super::evaluator::whole;
use crate::{Object, Quantity, ResourceList, Value};

/// Stands behind the name of a class.
pub(super) const PER_CLASS: &str = ".deviceclass.resource.k8s.io/devices";
/// So many devices fit into a claim: what a request for all of them counts as.
const MOST: usize = 32;

pub(super) fn usage(claim: &Object) -> ResourceList {
    let mut usage = ResourceList::default();
    let requests = claim.get(&["spec", "devices", "requests"]);
    for request in requests.and_then(Value::as_array).into_iter().flatten() {
        match request["firstAvailable"].as_array() {
            // One of the alternatives is taken: of each class the greatest counts.
            Some(alternatives) if !alternatives.is_empty() => {
                let mut worst = ResourceList::default();
                for alternative in alternatives {
                    worst.raise(&devices(alternative));
                }
                usage.add(&worst);
            }
            _ => usage.add(&devices(&request["exactly"])),
        }
    }
    usage
}

fn devices(request: &Value) -> ResourceList {
    let count = match request["allocationMode"].as_str() {
        Some("ExactCount") => whole(request["count"].as_u64().unwrap_or(0) as usize),
        Some("All") => whole(MOST),
        _ => Quantity::ZERO,
    };
    let class = request["deviceClassName"].as_str().unwrap_or_default();
    [(format!("{class}{PER_CLASS}"), count)]
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::quota::testing::footprint;

    #[track_caller]
    fn check(requests: Value, usage: &str) {
        let claim = json!({"spec": {"devices": {"requests": requests}}});
        let found = footprint("resource.k8s.io", "resourceclaims", claim).usage;
        assert_eq!(
            found.to_string(),
            format!("count/resourceclaims.resource.k8s.io=1{usage}")
        );
    }

    fn asking(class: &str, mode: &str, count: u64) -> Value {
        json!({"deviceClassName": class, "allocationMode": mode, "count": count})
    }

    #[test]
    fn requests_of_a_class_add_up() {
        check(
            json!([
                {"exactly": asking("gpu", "ExactCount", 2)},
                {"exactly": asking("gpu", "ExactCount", 1)},
                {"exactly": asking("nic", "All", 0)},
            ]),
            ",gpu.deviceclass.resource.k8s.io/devices=3,nic.deviceclass.resource.k8s.io/devices=32",
        );
    }

    #[test]
    fn of_alternatives_the_greatest_counts() {
        check(
            json!([{"firstAvailable": [
                asking("gpu", "ExactCount", 1),
                asking("gpu", "ExactCount", 4),
                asking("nic", "ExactCount", 2),
            ]}]),
            ",gpu.deviceclass.resource.k8s.io/devices=4,nic.deviceclass.resource.k8s.io/devices=2",
        );
    }

    #[test]
    fn an_unknown_mode_counts_nothing() {
        check(
            json!([{"exactly": asking("gpu", "Some", 2)}]),
            ",gpu.deviceclass.resource.k8s.io/devices=0",
        );
    }
}
