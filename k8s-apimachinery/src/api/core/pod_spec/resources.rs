//! Requests and limits of containers and pods.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Stage;
use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::name;
use crate::quantity::Quantity;
use crate::resource_name::{is_of_containers, may_overcommit};

/// Requests what is limited but not requested. Pods only: templates keep what was written.
pub(in crate::api::core) fn request_what_is_limited(container: &mut Map<String, Value>) {
    let Some(resources) = container.object("resources") else {
        return;
    };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    let requests = resources.ensure("requests");
    for (name, amount) in limits {
        requests.entry(name).or_insert(amount);
    }
}

/// Checks a container's resources. Its claims are among the pod's.
pub(super) fn check_container(resources: &Field, pod_claims: &Field) {
    check_both(
        resources,
        is_of_containers,
        "must be a standard resource for containers",
    );
    for claim in resources.get("claims").items() {
        let name = claim.get("name");
        let is_same = |of_pod: Field| of_pod.get("name").str() == name.str();
        if name.must_be_set() && !pod_claims.items().any(is_same) {
            claim.holding(&name).not_found();
        }
    }
}

/// Checks what is to happen when a container's resources change (KEP-1287).
pub(super) fn check_resize_policies(policies: &Field, pod_restarts: &str) {
    let mut seen = HashSet::new();
    for policy in policies.items() {
        let (resource, restart) = (policy.get("resourceName"), policy.get("restartPolicy"));
        if !seen.insert(resource.str()) {
            policy.duplicate_value(resource.str());
        }
        for (field, supported) in [
            (&resource, ["cpu", "memory"]),
            (&restart, ["NotRequired", "RestartContainer"]),
        ] {
            // Kubernetes reports these for the list as a whole.
            policies.holding(field).must_be_one_of(&supported);
        }
        if pod_restarts == "Never" && restart.str() == "RestartContainer" {
            policies
                .holding(&restart)
                .invalid("must be 'NotRequired' when `restartPolicy` is 'Never'");
        }
    }
}

/// Checks the devices that a pod claims (KEP-4381).
pub(super) fn check_claims(claims: &Field) {
    const SOURCES: [&str; 2] = ["resourceClaimName", "resourceClaimTemplateName"];
    for claim in claims.items() {
        let name = claim.get("name");
        if name.must_be_set() {
            name.invalid_for(name::dns1123_label(name.str()));
        }
        match SOURCES.map(|source| claim.get(source).is_set()) {
            [true, true] => claim.invalid("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"),
            [false, false] => claim.invalid("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
            _ => {}
        }
        for source in SOURCES.map(|source| claim.get(source)) {
            if source.is_set() {
                source.invalid_for(name::dns1123_subdomain(source.str()));
            }
        }
    }
    claims.must_differ_in("name");
}

/// Checks the resources and the overhead of the pod as a whole.
pub(super) fn check_pod(spec: &Field) {
    let resources = spec.get("resources");
    check_both(
        &resources,
        is_pod_resource,
        "must be a standard resource for pods",
    );
    if resources.get("claims").is_set() {
        resources
            .get("claims")
            .forbidden("claims cannot be set for Resources at pod-level");
    }
    if resources.is_set() {
        check_together(spec, &resources);
    }
    for (name, amount) in spec.get("overhead").entries() {
        check_amount(&amount, name);
    }
}

/// Checks the pod's resources against those of its containers: together they request no more, and none has a higher
/// limit (KEP-2837).
fn check_together(spec: &Field, resources: &Field) {
    let (requests, limits) = (resources.get("requests"), resources.get("limits"));
    let mut names: Vec<&str> = Vec::new();
    for stage in [Stage::Main, Stage::Init] {
        for container in spec.get(stage.field()).items() {
            let of_container = container.get("resources");
            let of_container = of_container.get("requests");
            names.extend(of_container.names().filter(|name| is_pod_resource(name)));
        }
    }
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (together, of_pod) = (requested_together(spec, name), requests.key(name));
        let requested = quantity(&of_pod).unwrap_or_default();
        if together > requested {
            of_pod.invalid_value(
                requested.to_string(),
                format!(
                    "must be greater than or equal to aggregate container requests of {together}"
                ),
            );
        }
    }
    // Kubernetes reports these below the pod's resources.
    let shown = resources.get("containers");
    for (index, container) in spec.get("containers").items().enumerate() {
        for (name, limit) in container.get("resources").get("limits").entries() {
            let of_pod = limits.key(name);
            if let (Some(own), Some(most)) = (quantity(&limit), quantity(&of_pod))
                && own > most
            {
                shown.at(index).key(name).get("limits").invalid_value(
                    limit.str(),
                    format!(
                        "must be less than or equal to pod limits of {}",
                        of_pod.str()
                    ),
                );
            }
        }
    }
}

/// What containers request at most at any time: init containers run one by one, beside the sidecars before them.
fn requested_together(spec: &Field, name: &str) -> Quantity {
    let of = |container: &Field| {
        let resources = container.get("resources");
        let requests = resources.get("requests");
        quantity(&requests.key(name)).unwrap_or_default()
    };
    let (mut sidecars, mut highest) = (Quantity::default(), Quantity::default());
    for container in spec.get("initContainers").items() {
        let mut running = of(&container);
        running.add(sidecars);
        if container.get("restartPolicy").str() == "Always" {
            sidecars = running;
        }
        highest = highest.max(running);
    }
    let mut together = sidecars;
    spec.get("containers")
        .items()
        .for_each(|container| together.add(of(&container)));
    together.max(highest)
}

/// Checks a list of resources: each a quantity that isn't negative.
pub(crate) fn check_list(list: &Field) {
    for (name, amount) in list.entries() {
        check_name(&amount, name);
        check_amount(&amount, name);
    }
}

fn check_both(resources: &Field, is_known: fn(&str) -> bool, unknown: &str) {
    if !resources.is_set() {
        return;
    }
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    for list in [&limits, &requests] {
        for (name, amount) in list.entries() {
            check_name(&amount, name);
            if !name.contains('/') && !is_known(name) {
                amount.invalid_value(name, unknown);
            }
            check_amount(&amount, name);
        }
    }
    for (name, request) in requests.entries() {
        check_against_limit(name, &request, &limits.key(name));
    }
    for (name, limit) in limits.entries() {
        if !may_overcommit(name) && !requests.key(name).is_set() {
            limit.required("Limit must be set for non overcommitable resources");
        }
    }
    check_huge_pages(resources, &limits, &requests);
}

fn check_against_limit(name: &str, request: &Field, limit: &Field) {
    let (Some(requested), Some(limited)) = (quantity(request), quantity(limit)) else {
        if !may_overcommit(name) && !limit.is_set() {
            limit.required("Limit must be set for non overcommitable resources");
        }
        return;
    };
    if !may_overcommit(name) && requested != limited {
        request.invalid(format!("must be equal to {name} limit of {}", text(limit)));
    } else if requested > limited {
        request.invalid(format!(
            "must be less than or equal to {name} limit of {}",
            text(limit)
        ));
    }
}

fn check_huge_pages(resources: &Field, limits: &Field, requests: &Field) {
    let names = || [limits, requests].into_iter().flat_map(|list| list.names());
    let has_huge_pages = names().any(|name| name.starts_with("hugepages-"));
    if has_huge_pages && !names().any(|name| matches!(name, "cpu" | "memory")) {
        resources.forbidden("HugePages require cpu or memory");
    }
}

fn check_name(amount: &Field, resource: &str) {
    for message in name::qualified_name(resource) {
        amount.invalid_value(resource, message);
    }
}

fn check_amount(amount: &Field, name: &str) {
    let Some(quantity) = quantity(amount) else {
        return;
    };
    if quantity.milli_value() < 0 {
        amount.invalid("must be greater than or equal to 0");
    }
    // Fractions of a byte, of a pod or of a device make no sense; of bytes they are tolerated.
    let is_counted = name.contains('/') || matches!(name, "pods" | "services");
    if is_counted && quantity.milli_value() % 1000 != 0 {
        amount.invalid("must be an integer");
    }
}

fn quantity(amount: &Field) -> Option<Quantity> {
    amount.value().and_then(Value::as_str)?.parse().ok()
}

fn text<'v>(amount: &Field<'_, 'v>) -> &'v str {
    amount.str()
}

fn is_pod_resource(name: &str) -> bool {
    crate::pod::request::is_pod_level_resource(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(spec: Value, want: &[&str]) {
        let faults = collect(&object(spec), check_pod);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_pod_requests_no_less_than_its_containers_and_limits_each() {
        let requests = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let pod = |cpu: &str| {
            json!({
                "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": "2"}},
                "containers": [requests("500m"), {"resources": {"limits": {"cpu": "3"}}}],
                "initContainers": [requests("900m"), requests("100m")],
            })
        };
        let limit = r#"resources.containers[1][cpu].limits: Invalid value: "3": must be less than or equal to pod limits of 2"#;
        check(pod("1"), &[limit]);
        check(
            pod("800m"),
            &[
                r#"resources.requests[cpu]: Invalid value: "800m": must be greater than or equal to aggregate container requests of 900m"#,
                limit,
            ],
        );
    }
}
