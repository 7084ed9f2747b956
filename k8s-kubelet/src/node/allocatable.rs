//! What of the machine is there for pods: the rest goes to the system, the agent, and the margin below which pods give
//! way. Pure.

use std::collections::BTreeMap;

use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::apimachinery::pkg::api::resource;

use crate::{config::NodeConfig, eviction::Signal};

type List = BTreeMap<String, resource::Quantity>;

/// The capacity without what is reserved.
pub(super) fn allocatable(config: &NodeConfig, capacity: &List) -> List {
    let thresholds = config.eviction.thresholds().unwrap_or_default();
    let margin = |resource: &str, capacity: Quantity| {
        let signal = match resource {
            "memory" => Signal::MemoryAvailable,
            "ephemeral-storage" => Signal::NodeFsAvailable,
            _ => return Quantity::ZERO,
        };
        let mut hard = thresholds.iter().filter(|each| each.is_hard());
        let found = hard.find(|each| each.signal == signal);
        found.map_or(Quantity::ZERO, |each| each.value.of(capacity.value()))
    };
    let rest = |(resource, amount): (&String, &resource::Quantity)| {
        let Ok(capacity) = amount.0.parse::<Quantity>() else {
            return (resource.clone(), amount.clone());
        };
        let mut rest = capacity;
        for list in [&config.system_reserved, &config.kube_reserved] {
            let reserved = list.get(resource).and_then(|text| text.parse().ok());
            rest.sub(reserved.unwrap_or(Quantity::ZERO));
        }
        rest.sub(margin(resource, capacity));
        let rest = if rest.is_negative() {
            Quantity::ZERO
        } else {
            rest
        };
        (resource.clone(), resource::Quantity(rest.to_string()))
    };
    capacity.iter().map(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_and_the_margin_are_not_for_pods() {
        let mut config = NodeConfig::new("n", "/tmp");
        let list = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect()
        };
        config.system_reserved = list(&[("cpu", "100m"), ("memory", "1Gi")]);
        config.kube_reserved = list(&[("cpu", "200m"), ("pods", "200")]);
        let capacity = list(&[
            ("cpu", "4"),
            ("memory", "8388608Ki"),
            ("ephemeral-storage", "1000Ki"),
            ("pods", "110"),
        ]);
        let capacity: List = capacity
            .into_iter()
            .map(|(name, text)| (name, resource::Quantity(text)))
            .collect();
        let left = allocatable(&config, &capacity);
        let left: Vec<_> = left
            .iter()
            .map(|(name, left)| format!("{name}={}", left.0))
            .collect();
        assert_eq!(
            left.join(" "),
            "cpu=3700m ephemeral-storage=900Ki memory=7068Mi pods=0"
        );
    }
}
