//! LimitRange: what each object of a namespace may ask for, and what it gets if it asks for nothing.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value};

use super::resource_name;
use crate::{
    Object, Quantity,
    api::{Edit, Field, NameRule, Rules},
    name,
    resource_name::{is_extended, is_native, is_of_containers, may_overcommit},
};

/// The bounds of an item, in the order in which Kubernetes checks them.
const BOUNDS: [&str; 5] = [
    "max",
    "min",
    "default",
    "defaultRequest",
    "maxLimitRequestRatio",
];

/// Rules of `v1` `LimitRange`.
pub struct LimitRange;

impl Rules for LimitRange {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let Some(spec) = object.as_map_mut().object("spec") else {
            return;
        };
        for item in spec.objects("limits") {
            if item.text("type") == "Container" {
                default_container(item);
            }
        }
    }

    fn check(&self, object: &Field) {
        let limits = object.get("spec");
        let limits = limits.get("limits");
        let mut types = BTreeSet::new();
        for item in limits.items() {
            let kind = item.get("type");
            check_type(&kind);
            if !types.insert(kind.str()) {
                kind.duplicate();
            }
            check_item(&item, kind.str());
        }
    }
}

/// The limit of a container is the maximum, unless said; its request is its limit, else the minimum.
fn default_container(item: &mut Map<String, Value>) {
    for (source, target) in [
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ] {
        let Some(Value::Object(amounts)) = item.get(source).cloned() else {
            continue;
        };
        if amounts.is_empty() {
            continue;
        }
        let target = item.ensure(target);
        for (name, amount) in amounts {
            target.entry(name).or_insert(amount);
        }
    }
}

fn check_type(kind: &Field) {
    let messages = name::qualified_name(kind.str());
    let is_standard = matches!(kind.str(), "Pod" | "Container" | "PersistentVolumeClaim");
    if !messages.is_empty() {
        for message in messages {
            kind.invalid_value(kind.str(), message);
        }
    } else if !kind.str().contains('/') && !is_standard {
        kind.invalid("must be a standard limit type or fully qualified");
    }
}

fn check_item(item: &Field, kind: &str) {
    let mut names = BTreeSet::new();
    for bound in BOUNDS {
        let amounts = item.get(bound);
        if kind == "Pod" && bound.starts_with("default") {
            if amounts.len() > 0 {
                amounts.forbidden("may not be specified when `type` is 'Pod'");
            }
            continue;
        }
        for (name, amount) in amounts.entries() {
            check_name(&amount, name, kind);
            names.insert(name);
        }
    }
    let has_storage = |bound| item.get(bound).key("storage").is_set();
    if kind == "PersistentVolumeClaim" && !has_storage("min") && !has_storage("max") {
        item.get("limits").required(
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
    for name in names {
        check_resource(item, name, kind == "Pod");
    }
}

fn check_name(amount: &Field, name: &str, kind: &str) {
    resource_name::check(amount, name);
    if !matches!(kind, "Pod" | "Container") {
        return;
    }
    if !name.contains('/') && !is_of_containers(name) {
        amount.invalid_value(name, "must be a standard resource for containers");
    } else if !is_native(name) && !is_extended(name) {
        amount.invalid_value(name, "doesn't follow extended resource name standard");
    }
}

/// Checks the bounds of one resource against each other.
fn check_resource(item: &Field, name: &str, is_pod: bool) {
    let lists = BOUNDS.map(|bound| item.get(bound));
    let fields = lists.each_ref().map(|list| list.key(name));
    let [max, min, default, request, ratio] = &fields;
    let ordered = |less: &Field, less_name: &str, more: &Field, more_name: &str, at: &Field| {
        if let (Some(a), Some(b)) = (amount(less), amount(more))
            && a > b
        {
            at.invalid(format!(
                "{less_name} value {a} is greater than {more_name} value {b}"
            ));
        }
    };
    ordered(min, "min", max, "max", min);
    if !is_pod {
        ordered(min, "min", request, "default request", request);
        ordered(request, "default request", max, "max", request);
        ordered(
            request,
            "default request",
            default,
            "default limit",
            request,
        );
        // These two are reported at the default with the value of the bound.
        ordered(min, "min", default, "default", &default.holding(min));
        ordered(default, "default", max, "max", &default.holding(max));
    }
    check_ratio(ratio, min, max);
    if let (false, Some(limit), Some(asked)) = (is_pod, amount(default), amount(request))
        && !may_overcommit(name)
        && limit != asked
    {
        request.invalid(format!(
            "default value {limit} must equal to defaultRequest value {asked} in {name}"
        ));
    }
}

fn check_ratio(ratio: &Field, min: &Field, max: &Field) {
    let Some(allowed) = amount(ratio) else {
        return;
    };
    if allowed < Quantity::from_millis(1000) {
        ratio.invalid(format!("ratio {allowed} is less than 1"));
    }
    if let (Some(min), Some(max)) = (amount(min), amount(max)) {
        let possible = max.as_f64() / min.as_f64();
        if allowed.as_f64().partial_cmp(&possible) == Some(Ordering::Greater) {
            ratio.invalid(format!(
                "ratio {allowed} is greater than max/min = {possible:.6}"
            ));
        }
    }
}

fn amount(field: &Field) -> Option<Quantity> {
    field.str().parse().ok()
}

#[cfg(test)]
mod tests {
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
}
