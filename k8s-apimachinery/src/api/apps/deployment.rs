//! Deployment: rolls ReplicaSets over, one template after the other.

use super::amount::{self, check_amount};
use super::{check_collisions, check_counters, check_not_above, check_selector};
use crate::api::core::pod_template;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `apps/v1` `Deployment`.
pub struct Deployment;

impl Rules for Deployment {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("replicas", 1);
        spec.fill("revisionHistoryLimit", 10);
        spec.fill("progressDeadlineSeconds", 600);
        let strategy = spec.ensure("strategy");
        strategy.fill("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate" {
            let rolling = strategy.ensure("rollingUpdate");
            rolling.fill("maxUnavailable", "25%");
            rolling.fill("maxSurge", "25%");
        }
        pod_template::default(spec.ensure("template"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        spec.get("replicas").must_not_be_negative();
        let empty = "empty selector is invalid for deployment";
        if check_selector(&spec, empty, "invalid label selector") {
            pod_template::check_lasting(&spec.get("template"), "ReplicaSet");
        }
        check_strategy(&spec.get("strategy"));
        spec.get("minReadySeconds").must_not_be_negative();
        spec.get("revisionHistoryLimit").must_not_be_negative();
        let deadline = spec.get("progressDeadlineSeconds");
        deadline.must_not_be_negative();
        let ready = spec.get("minReadySeconds").int().unwrap_or(0);
        if deadline.int().is_some_and(|deadline| deadline <= ready) {
            deadline.invalid("must be greater than minReadySeconds");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("selector").must_not_change(&old.get("selector"));
    }

    fn check_status(&self, new: &Field, old: &Field) {
        const COUNTERS: [&str; 7] = [
            "observedGeneration",
            "replicas",
            "updatedReplicas",
            "readyReplicas",
            "availableReplicas",
            "unavailableReplicas",
            "terminatingReplicas",
        ];
        let (status, old) = (new.get("status"), old.get("status"));
        check_counters(&status, &COUNTERS);
        for counter in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
            check_not_above(&status, counter, "replicas", "status.replicas");
        }
        check_not_above(
            &status,
            "availableReplicas",
            "readyReplicas",
            "readyReplicas",
        );
        check_collisions(&status, &old);
    }
}

fn check_strategy(strategy: &Field) {
    let (type_, rolling) = (strategy.get("type"), strategy.get("rollingUpdate"));
    match type_.str() {
        "Recreate" => {
            if rolling.is_set() {
                rolling.forbidden("may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => check_rolling(&rolling),
        // The whole strategy is what Kubernetes calls unsupported.
        _ => strategy.unsupported(&["Recreate", "RollingUpdate"]),
    }
}

fn check_rolling(rolling: &Field) {
    let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    let unavailable_amount = check_amount(&unavailable);
    let surge_amount = check_amount(&surge);
    if unavailable_amount == Some(0) && surge_amount == Some(0) {
        unavailable.invalid("may not be 0 when `maxSurge` is 0");
    }
    amount::check_not_more_than_all(&unavailable, unavailable_amount);
}

#[cfg(test)]
mod tests;
