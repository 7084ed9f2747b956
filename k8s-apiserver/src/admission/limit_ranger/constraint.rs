//! Whether what is asked for lies within the bounds, in Kubernetes' words.

use std::collections::BTreeSet;

use k8s_apimachinery::{Object, Quantity, ResourceList, Value, pod::total};
use k8s_openapi::api::core::v1::{Container, Pod};

use super::{Subject, default::items};

/// What is asked for.
struct Asked {
    requests: ResourceList,
    limits: ResourceList,
}

/// Holds an object against all bounds of the range; the error tells all that are violated.
pub(super) fn check(range: &Object, object: &Object, subject: Subject) -> Result<(), String> {
    let violations = match subject {
        Subject::Claim => of_claim(range, object),
        Subject::Pod => object
            .view::<Pod>()
            .map(|pod| of_pod(range, &pod))
            .map_err(|error| error.to_string())?,
    };
    let distinct: BTreeSet<&String> = violations.iter().collect();
    match violations.as_slice() {
        [] => Ok(()),
        [first, ..] if distinct.len() == 1 => Err(first.clone()),
        all => {
            let mut seen = BTreeSet::new();
            let first_ones: Vec<&str> = all
                .iter()
                .filter(|each| seen.insert(*each))
                .map(String::as_str)
                .collect();
            Err(format!("[{}]", first_ones.join(", ")))
        }
    }
}

fn of_pod(range: &Object, pod: &Pod) -> Vec<String> {
    let mut violations = Vec::new();
    let spec = pod.spec.iter();
    let containers = spec.clone().flat_map(|spec| &spec.containers);
    let init = spec.flat_map(|spec| spec.init_containers.iter().flatten());
    let containers: Vec<Asked> = containers.chain(init).map(Asked::by).collect();
    for item in items(range) {
        match item["type"].as_str() {
            Some("Container") => {
                for asked in &containers {
                    bounds(item, "Container", asked, &mut violations);
                }
            }
            Some("Pod") => {
                let asked = Asked {
                    requests: total::requests_asked(pod),
                    limits: total::limits_asked(pod),
                };
                bounds(item, "Pod", &asked, &mut violations);
            }
            _ => {}
        }
    }
    violations
}

/// Claims have no limits that anybody would heed: the bounds are for what is requested.
fn of_claim(range: &Object, claim: &Object) -> Vec<String> {
    let mut violations = Vec::new();
    let asked = Asked {
        requests: ResourceList::from_value(claim.get(&["spec", "resources", "requests"])),
        limits: ResourceList::default(),
    };
    let kind = "PersistentVolumeClaim";
    for item in items(range).filter(|item| item["type"] == kind) {
        for (name, bound) in list(item, "min").iter() {
            violations.extend(below(kind, name, bound, &asked));
        }
        for (name, bound) in list(item, "max").iter() {
            violations.extend(match asked.requests.get(name) {
                None => Some(format!(
                    "maximum {name} usage per {kind} is {bound}.  No request is specified"
                )),
                Some(request) => (request > bound).then(|| {
                    format!("maximum {name} usage per {kind} is {bound}, but request is {request}")
                }),
            });
        }
    }
    violations
}

impl Asked {
    fn by(container: &Container) -> Self {
        let resources = container.resources.clone().unwrap_or_default();
        let list = |list: Option<_>| {
            list.as_ref()
                .map(ResourceList::from_map)
                .unwrap_or_default()
        };
        Asked {
            requests: list(resources.requests),
            limits: list(resources.limits),
        }
    }
}

fn bounds(item: &Value, kind: &str, asked: &Asked, violations: &mut Vec<String>) {
    for (name, bound) in list(item, "min").iter() {
        violations.extend(below(kind, name, bound, asked));
    }
    for (name, bound) in list(item, "max").iter() {
        violations.extend(above(kind, name, bound, asked));
    }
    for (name, bound) in list(item, "maxLimitRequestRatio").iter() {
        violations.extend(apart(kind, name, bound, asked));
    }
}

fn list(item: &Value, field: &str) -> ResourceList {
    ResourceList::from_value(item.get(field))
}

fn below(kind: &str, name: &str, bound: Quantity, asked: &Asked) -> Option<String> {
    let minimum = format!("minimum {name} usage per {kind} is {bound}");
    match (asked.requests.get(name), asked.limits.get(name)) {
        (None, _) => Some(format!("{minimum}.  No request is specified")),
        (Some(request), _) if request < bound => {
            Some(format!("{minimum}, but request is {request}"))
        }
        (_, Some(limit)) if limit < bound => Some(format!("{minimum}, but limit is {limit}")),
        _ => None,
    }
}

fn above(kind: &str, name: &str, bound: Quantity, asked: &Asked) -> Option<String> {
    let maximum = format!("maximum {name} usage per {kind} is {bound}");
    match (asked.limits.get(name), asked.requests.get(name)) {
        (None, _) => Some(format!("{maximum}.  No limit is specified")),
        (Some(limit), _) if limit > bound => Some(format!("{maximum}, but limit is {limit}")),
        (_, Some(request)) if request > bound => {
            Some(format!("{maximum}, but request is {request}"))
        }
        _ => None,
    }
}

fn apart(kind: &str, name: &str, bound: Quantity, asked: &Asked) -> Option<String> {
    let maximum = format!("{name} max limit to request ratio per {kind} is {bound}");
    let some = |list: &ResourceList| list.get(name).filter(|amount| !amount.is_zero());
    let Some(request) = some(&asked.requests) else {
        return Some(format!(
            "{maximum}, but no request is specified or request is 0"
        ));
    };
    let Some(limit) = some(&asked.limits) else {
        return Some(format!(
            "{maximum}, but no limit is specified or limit is 0"
        ));
    };
    let ratio = limit.as_f64() / request.as_f64();
    (ratio > bound.as_f64()).then(|| format!("{maximum}, but provided ratio is {ratio:.6}"))
}
