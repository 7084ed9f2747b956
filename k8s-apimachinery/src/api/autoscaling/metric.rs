//! What an autoscaler looks at, and what it wants to see there.

use crate::api::{Field, NameRule};
use crate::quantity::Quantity;

/// Sorts of metrics, and the fields that describe them.
const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

/// Checks one metric: it is described, and by the field for its sort alone.
pub(super) fn check(metric: &Field) {
    let type_ = metric.get("type");
    if type_.is_empty() {
        type_.required("must specify a metric source type");
    }
    let expected = SOURCES.iter().find(|(sort, _)| *sort == type_.str());
    let Some((_, expected)) = expected else {
        type_.unsupported(&SOURCES.map(|(sort, _)| sort));
        return;
    };
    let source = metric.get(expected);
    if source.is_set() {
        check_source(expected, &source);
    } else {
        source.required("must populate information for the given metric source");
    }
    for (_, other) in SOURCES.iter().filter(|(_, field)| field != expected) {
        if metric.get(other).is_set() {
            metric
                .get(other)
                .forbidden("must populate the given metric source only");
        }
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
