//! DaemonSet: one pod on each node.

use super::amount::{check_amount, check_not_more_than_all};
use super::{check_chosen, check_collisions, check_counters, is_empty_selector};
use crate::api::core::pod_template;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `apps/v1` `DaemonSet`.
pub struct DaemonSet;

impl Rules for DaemonSet {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("revisionHistoryLimit", 10);
        let strategy = spec.ensure("updateStrategy");
        strategy.fill("type", "RollingUpdate");
        if strategy.text("type") == "RollingUpdate" {
            let rolling = strategy.ensure("rollingUpdate");
            rolling.fill("maxUnavailable", 1);
            rolling.fill("maxSurge", 0);
        }
        pod_template::default(spec.ensure("template"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let selector = spec.get("selector");
        if check_label_selector(&selector) {
            check_chosen(&spec);
        }
        if selector.is_set() && is_empty_selector(&selector) {
            selector.invalid("empty selector is invalid for daemonset");
        }
        pod_template::check_lasting(&spec.get("template"), "DaemonSet");
        spec.get("minReadySeconds").must_not_be_negative();
        check_strategy(&spec.get("updateStrategy"));
        spec.get("revisionHistoryLimit").must_not_be_negative();
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("selector").must_not_change(&old.get("selector"));
    }

    fn check_status(&self, new: &Field, old: &Field) {
        const COUNTERS: [&str; 8] = [
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
        ];
        let status = new.get("status");
        check_counters(&status, &COUNTERS);
        check_collisions(&status, &old.get("status"));
    }
}

fn check_strategy(strategy: &Field) {
    match strategy.get("type").str() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = strategy.get("rollingUpdate");
            if rolling.is_set() {
                check_rolling(&rolling);
            } else {
                rolling.required("");
            }
        }
        // The whole strategy is what Kubernetes calls unsupported.
        _ => strategy.unsupported(&["RollingUpdate", "OnDelete"]),
    }
}

fn check_rolling(rolling: &Field) {
    let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
    let [unavailable_amount, surge_amount] = [&unavailable, &surge].map(check_amount);
    check_not_more_than_all(&unavailable, unavailable_amount);
    check_not_more_than_all(&surge, surge_amount);
    match (unavailable_amount.unwrap_or(0), surge_amount.unwrap_or(0)) {
        (0, 0) => unavailable.required("cannot be 0 when maxSurge is 0"),
        (0, _) | (_, 0) => {}
        _ => surge.invalid("may not be set when maxUnavailable is non-zero"),
    }
}
