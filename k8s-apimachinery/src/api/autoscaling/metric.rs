//! What an autoscaler looks at, and what it wants to see there.

use crate::api::{Field, NameRule};
use crate::quantity::Quantity;

/// Sorts of metrics, and the fields that describe them, in the order in which Kubernetes looks for them.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];
const TYPES: [&str; 5] = [
    "ContainerResource",
    "External",
    "Object",
    "Pods",
    "Resource",
];

/// Checks one metric: it is described, and by the field for its sort alone. Of several descriptions the first is looked at.
pub(super) fn check(metric: &Field) {
    let type_ = metric.get("type");
    if type_.is_empty() {
        type_.required("must specify a metric source type");
    }
    let expected = SOURCES.iter().find(|(sort, _)| *sort == type_.str());
    let expected = expected.map(|(_, field)| *field);
    if expected.is_none() {
        type_.unsupported(&TYPES);
    }
    let is_given = |field: &&str| metric.get(field).is_set();
    let given: Vec<_> = SOURCES
        .map(|(_, field)| field)
        .into_iter()
        .filter(is_given)
        .collect();
    if let Some(first) = given.first() {
        check_source(first, &metric.get(first));
    }
    match expected {
        Some(field) if !given.contains(&field) => metric
            .get(field)
            .required("must populate information for the given metric source"),
        _ => {}
    }
    for other in given
        .iter()
        .filter(|field| given.len() != 1 && Some(**field) != expected)
    {
        metric
            .get(other)
            .forbidden("must populate the given metric source only");
    }
}

fn check_source(sort: &str, source: &Field) {
    let target = source.get("target");
    match sort {
        "object" => check_reference(&source.get("describedObject")),
        "containerResource" => {
            check_resource_name(&source.get("name"));
            let container = source.get("container");
            if container.is_empty() {
                container.required("must specify a container");
            }
        }
        "resource" => check_resource_name(&source.get("name")),
        _ => {}
    }
    if !sort.to_lowercase().ends_with("resource") {
        check_identifier(&source.get("metric"));
    }
    check_target(&target);
    let [value, average, utilization] =
        ["value", "averageValue", "averageUtilization"].map(|field| target.get(field));
    match sort {
        "object" if !value.is_set() && !average.is_set() => {
            average.required("must set either a target value or averageValue");
        }
        "external" if !value.is_set() && !average.is_set() => {
            average.required("must set either a target value for metric or a per-pod target");
        }
        "external" if value.is_set() && average.is_set() => {
            value.forbidden("may not set both a target value for metric and a per-pod target");
        }
        "pods" if !average.is_set() => {
            average.required("must specify a positive target averageValue")
        }
        "resource" | "containerResource" => {
            match (utilization.is_set(), average.is_set()) {
                (false, false) => utilization
                    .required("must set either a target raw value or a target utilization"),
                (true, true) => average
                    .forbidden("may not set both a target raw value and a target utilization"),
                _ => {}
            }
        }
        _ => {}
    }
}

fn check_resource_name(name: &Field) {
    if name.is_empty() {
        name.required("must specify a resource name");
    }
}

fn check_identifier(metric: &Field) {
    let name = metric.get("name");
    if name.is_empty() {
        name.required("must specify a metric name");
    } else {
        name.invalid_for(NameRule::PathSegment.faults(name.str()));
    }
}

fn check_target(target: &Field) {
    let [type_, value, average, utilization] =
        ["type", "value", "averageValue", "averageUtilization"].map(|field| target.get(field));
    if type_.is_empty() {
        type_.required("must specify a metric target type");
    }
    if !matches!(type_.str(), "Utilization" | "Value" | "AverageValue") {
        type_.invalid_value(
            type_.str(),
            "must be either Utilization, Value, or AverageValue",
        );
    }
    for amount in [&value, &average] {
        let quantity = amount.str().parse::<Quantity>();
        if quantity.is_ok_and(|quantity| quantity.is_zero() || quantity.is_negative()) {
            amount.invalid("must be positive");
        }
    }
    utilization.must_be_positive();
}

/// Checks what is scaled, or what a metric describes.
pub(super) fn check_reference(reference: &Field) {
    for field in ["kind", "name"] {
        let field = reference.get(field);
        if field.must_be_set() {
            field.invalid_for(NameRule::PathSegment.faults(field.str()));
        }
    }
    let version = reference.get("apiVersion");
    let group = version
        .str()
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    if version.str().matches('/').count() > 1 {
        version.invalid(format!("unexpected GroupVersion string: {}", version.str()));
    } else if version.str().contains('/') {
        version.invalid_for(crate::name::dns1123_subdomain(group));
    }
}
