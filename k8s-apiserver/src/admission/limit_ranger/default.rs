//! Requests and limits for containers that say nothing.

use k8s_apimachinery::{Map, Object, Value, api::Edit};

/// Where a pod is told what it was given.
pub(super) const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Fills in what the range has defaults for, and tells what was filled in.
pub(super) fn fill(pod: &mut Object, range: &Object) -> Option<String> {
    let (limits, requests) = defaults(range);
    let spec = pod.as_map_mut().object("spec")?;
    let mut filled = Vec::new();
    for (list, what) in [
        ("containers", "container"),
        ("initContainers", "init container"),
    ] {
        for container in spec.objects(list) {
            let given = [
                ("limits", give(container, "limits", &limits)),
                ("requests", give(container, "requests", &requests)),
            ];
            let name = container.text("name");
            // Told in the other order than given, as Kubernetes does.
            for (kind, names) in given
                .into_iter()
                .rev()
                .filter(|(_, names)| !names.is_empty())
            {
                let kind = kind.trim_end_matches('s');
                filled.push(format!("{} {kind} for {what} {name}", names.join(", ")));
            }
        }
    }
    (!filled.is_empty()).then(|| format!("LimitRanger plugin set: {}", filled.join("; ")))
}

/// The default limits and requests of containers.
fn defaults(range: &Object) -> (Map<String, Value>, Map<String, Value>) {
    let (mut limits, mut requests) = (Map::new(), Map::new());
    for item in items(range).filter(|item| item["type"] == "Container") {
        for (field, into) in [("default", &mut limits), ("defaultRequest", &mut requests)] {
            if let Some(amounts) = item[field].as_object() {
                into.extend(amounts.clone());
            }
        }
    }
    (limits, requests)
}

/// The items of a range.
pub(super) fn items(range: &Object) -> impl Iterator<Item = &Value> {
    let items = range.get(&["spec", "limits"]).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// Gives a container the amounts that it lacks; returns their names.
fn give(
    container: &mut Map<String, Value>,
    list: &str,
    amounts: &Map<String, Value>,
) -> Vec<String> {
    let said = container.get("resources").and_then(|r| r.get(list));
    let lacking: Vec<_> = amounts
        .iter()
        .filter(|(name, _)| said.is_none_or(|said| said.get(name.as_str()).is_none()))
        .collect();
    if !lacking.is_empty() {
        let list = container.ensure("resources").ensure(list);
        for &(name, amount) in &lacking {
            list.insert(name.clone(), amount.clone());
        }
    }
    let mut names: Vec<String> = lacking.into_iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}
