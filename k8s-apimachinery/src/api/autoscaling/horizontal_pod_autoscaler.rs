//! HorizontalPodAutoscaler: as many replicas as the load asks for. Stored, defaulted and checked as `v2`.

use serde_json::json;

use super::{behavior, metric};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `autoscaling/v2` `HorizontalPodAutoscaler`.
pub struct HorizontalPodAutoscaler;

impl Rules for HorizontalPodAutoscaler {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("minReplicas", 1);
        if spec
            .get("metrics")
            .and_then(|list| list.as_array())
            .is_none_or(Vec::is_empty)
        {
            let target = json!({"type": "Utilization", "averageUtilization": 80});
            let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
            spec.insert("metrics".to_owned(), vec![cpu].into());
        }
        spec.object("behavior")
            .into_iter()
            .for_each(behavior::default);
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let (min, max) = (spec.get("minReplicas"), spec.get("maxReplicas"));
        if min.int().is_some_and(|least| least < 1) {
            min.invalid("must be greater than or equal to 1");
        }
        let most = max.int().unwrap_or(0);
        if most < 1 {
            max.invalid_value(most, "must be greater than 0");
        }
        if min.int().is_some_and(|least| most < least) {
            max.invalid_value(most, "must be greater than or equal to `minReplicas`");
        }
        metric::check_reference(&spec.get("scaleTargetRef"));
        let metrics = spec.get("metrics");
        metrics.items().for_each(|spec| metric::check(&spec));
        let is_outside = |spec: Field| matches!(spec.get("type").str(), "Object" | "External");
        if min.int() == Some(0) && !metrics.items().any(is_outside) {
            metrics.forbidden("must specify at least one Object or External metric to support scaling to zero replicas");
        }
        behavior::check(&spec.get("behavior"));
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        status.get("currentReplicas").must_not_be_negative();
        status.get("desiredReplicas").must_not_be_negative();
    }
}
