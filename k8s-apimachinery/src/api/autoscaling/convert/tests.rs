use serde_json::{Value, json};

use super::*;
use crate::api::testing::object;

#[test]
fn a_target_for_the_cpu_is_a_metric() {
    let mut hpa = object(json!({"spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}}));
    let v1 = hpa.clone();
    to_v2(&mut hpa);
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let want = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    assert_eq!(hpa.get(&["spec", "metrics"]), Some(&want));
    to_v1(&mut hpa);
    assert_eq!(hpa, v1);
}

#[test]
fn what_v1_has_no_field_for_comes_back_unchanged() {
    let metric = json!({"name": "requests", "selector": {"matchLabels": {"a": "b"}}});
    let of = |sort: &str, type_: &str, source: Value| json!({"type": type_, sort: source});
    let target = json!({"type": "AverageValue", "averageValue": "5"});
    let whole = json!({"type": "Value", "value": "5"});
    let web = json!({"apiVersion": "v1", "kind": "Service", "name": "web"});
    let v2 = object(json!({
        "metadata": {"name": "x", "annotations": {"own": "one"}},
        "spec": {
            "metrics": [
                of("pods", "Pods", json!({"metric": metric, "target": target})),
                of("object", "Object", json!({"describedObject": web, "metric": metric, "target": whole})),
                of("external", "External", json!({"metric": metric, "target": target})),
                of("containerResource", "ContainerResource", json!({"name": "cpu", "container": "a", "target": target})),
                of("resource", "Resource", json!({"name": "memory", "target": target})),
            ],
            "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}},
        },
        "status": {
            "conditions": [{"type": "AbleToScale", "status": "True"}],
            "currentMetrics": [of("resource", "Resource", json!({"name": "cpu", "current": {"averageUtilization": 40, "averageValue": "4m"}}))],
        },
    }));
    let mut hpa = v2.clone();
    to_v1(&mut hpa);
    assert_eq!(
        hpa.get(&["status", "currentCPUUtilizationPercentage"]),
        Some(&json!(40))
    );
    let behavior = hpa.annotation(BEHAVIOR).expect("an annotation");
    assert!(behavior.contains("PeriodSeconds"), "{behavior}");
    to_v2(&mut hpa);
    assert_eq!(hpa, v2);
}
