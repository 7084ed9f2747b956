//! What pods that run already would violate, were a namespace to enforce a standard from now on.

use std::collections::{BTreeMap, HashSet};

use super::{check::evaluate, standard::Standard, subject::Subject, violation::reasons};
use crate::object::Object;

/// More pods than this are not looked at.
const POD_MAX: usize = 3000;

/// The warnings for whoever changes the level, pods with the same violations together. Pods of controllers that have
/// others come last, since those are likely the same.
pub fn survey(namespace: &str, pods: Vec<Object>, standard: Standard) -> Vec<String> {
    let pods = unlike_first(pods);
    let looked_at = &pods[..pods.len().min(POD_MAX)];
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in looked_at {
        let violations = evaluate(standard, &Subject::new(pod.as_map()));
        if !violations.is_empty() {
            let names = alike.entry(reasons(&violations)).or_default();
            names.push(pod.name());
        }
    }
    let mut warnings = Vec::new();
    if looked_at.len() < pods.len() {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {} of {} existing pods",
            looked_at.len(),
            pods.len()
        ));
    }
    if !alike.is_empty() {
        warnings.push(format!(
            "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{standard}\""
        ));
    }
    let mut lines: Vec<String> = alike
        .into_iter()
        .map(|(violations, names)| {
            let first = names.iter().min().copied().unwrap_or_default();
            match names.len() - 1 {
                0 => format!("{first}: {violations}"),
                1 => format!("{first} (and 1 other pod): {violations}"),
                others => format!("{first} (and {others} other pods): {violations}"),
            }
        })
        .collect();
    lines.sort();
    warnings.extend(lines);
    warnings
}

/// The pods, one of each controller before all others.
fn unlike_first(pods: Vec<Object>) -> Vec<Object> {
    let mut controllers = HashSet::new();
    let (mut first, rest): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| {
        let controller = pod.controller();
        controller.is_none_or(|owner| controllers.insert(owner.uid.to_owned()))
    });
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, owner: &str, spec: Value) -> Object {
        let mut metadata = json!({"name": name});
        if !owner.is_empty() {
            metadata["ownerReferences"] = json!([{"uid": owner, "controller": true}]);
        }
        Object::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn baseline() -> Standard {
        "baseline:latest".parse().unwrap()
    }

    #[test]
    fn pods_with_the_same_violations_are_told_together() {
        let net = || json!({"hostNetwork": true});
        let pods = vec![
            pod("c", "", net()),
            pod("b", "", net()),
            pod("d", "", json!({"hostNetwork": true, "hostPID": true})),
            pod("e", "", json!({"volumes": [{"name": "v", "hostPath": {}}]})),
            pod(
                "g",
                "",
                json!({"hostIPC": true, "volumes": [{"name": "v", "hostPath": {}}]}),
            ),
            pod(
                "f",
                "",
                json!({"hostIPC": true, "volumes": [{"name": "v", "hostPath": {}}]}),
            ),
            pod("fine", "", json!({})),
        ];
        assert_eq!(
            survey("shop", pods, baseline()),
            [
                r#"existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest""#,
                "b (and 2 other pods): host namespaces",
                "e: hostPath volumes",
                "f (and 1 other pod): host namespaces, hostPath volumes",
            ]
        );
        assert!(survey("shop", vec![pod("fine", "", json!({}))], baseline()).is_empty());
    }

    #[test]
    fn of_very_many_pods_one_of_each_controller_is_looked_at() {
        let mut pods: Vec<_> = (0..POD_MAX)
            .map(|n| pod(&format!("p{n:04}"), "set", json!({})))
            .collect();
        pods.push(pod("single", "", json!({"hostPID": true})));
        let total = POD_MAX + 1;
        assert_eq!(
            survey("shop", pods, baseline()),
            [
                format!(
                    "new PodSecurity enforce level only checked against the first {POD_MAX} of {total} existing pods"
                ),
                r#"existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest""#
                    .to_owned(),
                "single: host namespaces".to_owned(),
            ]
        );
    }
}
