use serde_json::json;

use super::*;
use crate::api::testing::{check_create, check_defaults, named};

fn range(item: Value) -> Object {
    named(json!({"spec": {"limits": [item]}}))
}

#[track_caller]
fn check(item: Value, want: &[&str]) {
    check_create(&LimitRange, range(item), want);
}

#[test]
fn defaults_of_containers_follow_from_the_bounds() {
    check_defaults(
        &LimitRange,
        named(json!({"spec": {"limits": [
            {"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Mi"}},
            {"type": "Pod", "max": {"cpu": "2"}},
        ]}})),
        &expect_test::expect![[r#"
            {
              "metadata": {
                "name": "x",
                "namespace": "default"
              },
              "spec": {
                "limits": [
                  {
                    "default": {
                      "cpu": "2"
                    },
                    "defaultRequest": {
                      "cpu": "2",
                      "memory": "1Mi"
                    },
                    "max": {
                      "cpu": "2"
                    },
                    "min": {
                      "cpu": "1",
                      "memory": "1Mi"
                    },
                    "type": "Container"
                  },
                  {
                    "max": {
                      "cpu": "2"
                    },
                    "type": "Pod"
                  }
                ]
              }
            }"#]],
    );
}

#[test]
fn types_are_known_and_differ() {
    check(json!({"type": "example.com/Thing"}), &[]);
    check(
        json!({"type": "Thing"}),
        &[
            r#"spec.limits[0].type: Invalid value: "Thing": must be a standard limit type or fully qualified"#,
        ],
    );
    check_create(
        &LimitRange,
        named(json!({"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}})),
        &[r#"spec.limits[1].type: Duplicate value: "Pod""#],
    );
}

#[test]
fn bounds_are_in_order() {
    check(
        json!({"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}),
        &[
            r#"spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1"#,
            r#"spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1"#,
            r#"spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1"#,
        ],
    );
    check(
        json!({"type": "Container", "default": {"memory": "1Gi"}, "max": {"memory": "512Mi"}}),
        &[
            r#"spec.limits[0].defaultRequest[memory]: Invalid value: "1Gi": default request value 1Gi is greater than max value 512Mi"#,
            r#"spec.limits[0].default[memory]: Invalid value: "512Mi": default value 1Gi is greater than max value 512Mi"#,
        ],
    );
    check(
        json!({"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}}),
        &[
            r#"spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value 2 is greater than default limit value 1"#,
        ],
    );
}

#[test]
fn ratios_are_possible() {
    check(
        json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}}),
        &[
            r#"spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1"#,
        ],
    );
    check(
        json!({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}}),
        &[
            r#"spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000"#,
        ],
    );
}

#[test]
fn pods_have_no_defaults() {
    let forbidden = "Forbidden: may not be specified when `type` is 'Pod'";
    check(
        json!({"type": "Pod", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}}),
        &[
            &format!("spec.limits[0].default: {forbidden}"),
            &format!("spec.limits[0].defaultRequest: {forbidden}"),
        ],
    );
}

#[test]
fn claims_have_a_bound_of_storage() {
    check(
        json!({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}),
        &[],
    );
    check(
        json!({"type": "PersistentVolumeClaim"}),
        &[
            "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided",
        ],
    );
}

#[test]
fn resources_are_those_of_containers() {
    check(
        json!({"type": "Container", "max": {"example.com/gpu": "1", "storage": "1"}}),
        &[
            r#"spec.limits[0].max[storage]: Invalid value: "storage": must be a standard resource for containers"#,
            r#"spec.limits[0].default[storage]: Invalid value: "storage": must be a standard resource for containers"#,
            r#"spec.limits[0].defaultRequest[storage]: Invalid value: "storage": must be a standard resource for containers"#,
        ],
    );
    check(
        json!({"type": "Container", "default": {"hugepages-2Mi": "4Mi"}, "defaultRequest": {"hugepages-2Mi": "2Mi"}}),
        &[
            r#"spec.limits[0].defaultRequest[hugepages-2Mi]: Invalid value: "2Mi": default value 4Mi must equal to defaultRequest value 2Mi in hugepages-2Mi"#,
        ],
    );
}
