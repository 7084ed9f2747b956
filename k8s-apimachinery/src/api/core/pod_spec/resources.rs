//! Requests and limits of containers and pods.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::Stage;
use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::name;
use crate::quantity::Quantity;
use crate::resource_name::{HUGE_PAGES, is_of_containers, is_whole, may_overcommit};

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
    check_both(resources, &CONTAINERS);
    check_claimed(&resources.get("claims"), pod_claims);
}

/// Kubernetes reports these for the claim as a whole.
fn check_claimed(claims: &Field, pod_claims: &Field) {
    let known = pod_claims.items().map(|of_pod| of_pod.get("name").str());
    let known: BTreeSet<_> = known.filter(|name| !name.is_empty()).collect();
    let listed = match known.is_empty() {
        true => " which is empty".to_owned(),
        false => format!(": {}", Vec::from_iter(known.iter().copied()).join(", ")),
    };
    let mut seen = HashSet::new();
    for claim in claims.items() {
        let (name, request) = (claim.get("name").str(), claim.get("request").str());
        if name.is_empty() {
            claim.required("");
            continue;
        }
        if !seen.insert((name, request)) {
            claim.duplicate_value(name);
        }
        if !known.contains(name) {
            let why = format!("must be one of the names in pod.spec.resourceClaims{listed}");
            claim.not_found_because(name, why);
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
    check_both(&resources, &PODS);
    if resources.get("claims").is_set() {
        resources
            .get("claims")
            .forbidden("claims cannot be set for Resources at pod-level");
    }
    if resources.is_set() {
        check_together(spec, &resources);
    }
    let overhead = spec.get("overhead");
    if overhead.is_set() {
        check_overhead(&overhead, &overhead);
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

/// Checks what containers need beside what they ask for: as if it were limits, and reported so.
pub(crate) fn check_overhead(overhead: &Field, amounts: &Field) {
    let limits = overhead.get("limits");
    let limits = limits.holding(amounts);
    check_lists(overhead, &limits, &overhead.get("requests"), &CONTAINERS);
}

/// Which resources can be asked for, and the words for others.
struct Kinds {
    is_known: fn(&str) -> bool,
    unknown: &'static str,
}

const CONTAINERS: Kinds = Kinds {
    is_known: is_of_containers,
    unknown: "must be a standard resource for containers",
};
const PODS: Kinds = Kinds {
    is_known: is_pod_resource,
    unknown: "must be a standard resource for pods",
};

fn check_both(resources: &Field, kinds: &Kinds) {
    if resources.is_set() {
        let (limits, requests) = (resources.get("limits"), resources.get("requests"));
        check_lists(resources, &limits, &requests, kinds);
    }
}

fn check_lists(resources: &Field, limits: &Field, requests: &Field, kinds: &Kinds) {
    for (name, limit) in limits.entries() {
        check_one(&limit, name, kinds);
    }
    for (name, request) in requests.entries() {
        check_one(&request, name, kinds);
        check_against_limit(name, &requests.holding(&request), limits);
    }
    check_huge_pages(resources, limits, requests);
}

fn check_one(amount: &Field, name: &str, kinds: &Kinds) {
    for message in name::qualified_name(name) {
        amount.invalid_value(name, message);
    }
    if !name.contains('/') && !(kinds.is_known)(name) {
        amount.invalid_value(name, kinds.unknown);
    }
    check_amount(amount, name);
    if let (Some(size), Some(quantity)) = (name.strip_prefix(HUGE_PAGES), quantity(amount)) {
        let page = size.parse::<Quantity>().map_or(0, |page| page.value());
        if page <= 0 || quantity.value() % page != 0 {
            amount.invalid(format!(
                "{quantity} is not positive integer multiple of {name}"
            ));
        }
    }
}

/// Kubernetes reports these for the lists as a whole.
fn check_against_limit(name: &str, request: &Field, limits: &Field) {
    let limit = limits.key(name);
    if !limit.is_set() && !may_overcommit(name) {
        limits.required("Limit must be set for non overcommitable resources");
    }
    let (Some(requested), Some(limited)) = (quantity(request), quantity(&limit)) else {
        return;
    };
    if !may_overcommit(name) && requested != limited {
        request.invalid(format!("must be equal to {name} limit of {limited}"));
    } else if requested > limited {
        request.invalid(format!(
            "must be less than or equal to {name} limit of {limited}"
        ));
    }
}

fn check_huge_pages(resources: &Field, limits: &Field, requests: &Field) {
    let names = || [limits, requests].into_iter().flat_map(|list| list.names());
    let has_huge_pages = names().any(|name| name.starts_with(HUGE_PAGES));
    if has_huge_pages && !names().any(|name| matches!(name, "cpu" | "memory")) {
        resources.forbidden("HugePages require cpu or memory");
    }
}

/// Checks the amount of a resource: not negative, and whole if it is counted.
pub(in crate::api::core) fn check_amount(amount: &Field, name: &str) {
    let Some(quantity) = quantity(amount) else {
        return;
    };
    if quantity.is_negative() {
        amount.invalid("must be greater than or equal to 0");
    }
    if is_whole(name) && quantity.milli_value() % 1000 != 0 {
        amount.invalid("must be an integer");
    }
}

fn quantity(amount: &Field) -> Option<Quantity> {
    amount.value().and_then(Value::as_str)?.parse().ok()
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

    #[track_caller]
    fn check_resources(resources: Value, want: &[&str]) {
        let faults = collect(&object(json!({"resources": resources})), |root| {
            check_container(&root.get("resources"), &root.get("resourceClaims"));
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn devices_are_limited_and_requested_alike() {
        let gpus = |requests: Value, limits: Value| json!({"requests": requests, "limits": limits});
        let gpu = |amount: &str| json!({"example.com/gpu": amount});
        check_resources(gpus(json!({}), gpu("1")), &[]);
        check_resources(gpus(gpu("1"), gpu("1")), &[]);
        check_resources(
            gpus(gpu("1"), json!({})),
            &[
                "resources.limits: Required value: Limit must be set for non overcommitable resources",
            ],
        );
        check_resources(
            gpus(gpu("1"), gpu("2")),
            &[
                r#"resources.requests: Invalid value: "1": must be equal to example.com/gpu limit of 2"#,
            ],
        );
    }

    #[test]
    fn huge_pages_are_whole_and_not_alone() {
        let limits = |limits: Value| json!({"limits": limits});
        check_resources(
            limits(json!({"hugepages-2Mi": "4Mi", "memory": "1Gi"})),
            &[],
        );
        check_resources(
            limits(json!({"hugepages-2Mi": "3Mi"})),
            &[
                r#"resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi"#,
                "resources: Forbidden: HugePages require cpu or memory",
            ],
        );
    }

    #[test]
    fn claims_are_the_pods() {
        check_resources(
            json!({"claims": [{"name": "a"}, {}]}),
            &[
                r#"resources.claims[0]: Not found: "a": must be one of the names in pod.spec.resourceClaims which is empty"#,
                "resources.claims[1]: Required value",
            ],
        );
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
