//! Resizing a pod that runs (KEP-1287): processor and memory of its containers, and nothing else.

use serde_json::Value;

use super::pod::is_mirror;
use crate::api::{Field, FieldError, collect_update};
use crate::object::Object;
use crate::pod::qos;

const RESIZABLE: [&str; 2] = ["cpu", "memory"];

/// Checks what an update through `resize` changes.
pub(super) fn check(new: &Field, old: &Field) {
    if is_mirror(old) {
        new.forbidden("static pods cannot be resized");
        return;
    }
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    if old_spec.get("os").get("name").str() == "windows" {
        new.forbidden("windows pods cannot be resized");
        return;
    }
    let mut is_only_resized = true;
    for list in ["containers", "initContainers"] {
        let (list, old_list) = (spec.get(list), old_spec.get(list));
        is_only_resized &= list.len() == old_list.len();
        for (container, old) in list.items().zip(old_list.items()) {
            is_only_resized &= check_container(&container, &old);
        }
    }
    let lists = ["containers", "initContainers"];
    let mut names = spec
        .names()
        .chain(old_spec.names())
        .filter(|name| !lists.contains(name));
    is_only_resized &= names.all(|name| spec.get(name).same_as(&old_spec.get(name)));
    if !is_only_resized {
        spec.forbidden("only cpu and memory resources are mutable");
    }
}

/// Reports what was taken away; whether nothing else has changed is returned.
fn check_container(container: &Field, old: &Field) -> bool {
    let (resources, old_resources) = (container.get("resources"), old.get("resources"));
    let mut is_only_resized = true;
    for amounts in ["limits", "requests"] {
        let (now, was) = (resources.get(amounts), old_resources.get(amounts));
        if RESIZABLE
            .iter()
            .any(|name| was.key(name).is_set() && !now.key(name).is_set())
        {
            now.forbidden(format!("resource {amounts} cannot be removed"));
        }
        let mut others = now
            .names()
            .chain(was.names())
            .filter(|name| !RESIZABLE.contains(name));
        is_only_resized &= others.all(|name| now.key(name).same_as(&was.key(name)));
    }
    let mut names = container
        .names()
        .chain(old.names())
        .filter(|name| *name != "resources");
    is_only_resized
        && resources
            .get("claims")
            .same_as(&old_resources.get("claims"))
        && names.all(|name| container.get(name).same_as(&old.get(name)))
}

/// The class of service, once given, stays.
pub(super) fn check_class(new: &Object, old: &Object) -> Vec<FieldError> {
    let class = |pod: &Object| pod.view().map(|pod| qos::compute(&pod)).ok();
    let (now, was) = (class(new), class(old));
    collect_update(new, old, |new, _| {
        if now != was {
            let shown = now.map_or(Value::Null, |class| class.as_str().into());
            new.get("spec").invalid_value(
                shown,
                "Pod QOS Class may not change as a result of resizing",
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Rules, core::pod::Pod, testing::named};
    use serde_json::json;

    fn pod(resources: Value, image: &str) -> Object {
        let mut pod = named(
            json!({"spec": {"containers": [{"name": "a", "image": image, "resources": resources}]}}),
        );
        Pod.default(&mut pod);
        pod
    }

    #[track_caller]
    fn check(old: Object, new: Object, want: &[&str]) {
        let faults = Pod.validate_part_update("resize", &new, &old);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn processor_and_memory_may_change_and_nothing_else() {
        let requests =
            |cpu: &str, disk: &str| json!({"requests": {"cpu": cpu, "ephemeral-storage": disk}});
        check(
            pod(requests("1", "1Gi"), "x"),
            pod(requests("2", "1Gi"), "x"),
            &[],
        );
        let only = "spec: Forbidden: only cpu and memory resources are mutable";
        check(
            pod(requests("1", "1Gi"), "x"),
            pod(requests("1", "2Gi"), "x"),
            &[only],
        );
        check(
            pod(requests("1", "1Gi"), "x"),
            pod(requests("1", "1Gi"), "y"),
            &[only],
        );
    }

    #[test]
    fn neither_amounts_nor_the_class_of_service_are_lost() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let guaranteed = json!({"requests": both, "limits": both});
        check(
            pod(guaranteed.clone(), "x"),
            pod(
                json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}),
                "x",
            ),
            &[
                r#"spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing"#,
            ],
        );
        check(
            pod(json!({"requests": both}), "x"),
            pod(json!({"requests": {"cpu": "1"}}), "x"),
            &[
                "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
            ],
        );
    }

    #[test]
    fn what_a_node_runs_from_a_file_is_not_resized() {
        let mut old = pod(json!({}), "x");
        old.set(
            &["metadata", "annotations", "kubernetes.io/config.mirror"],
            "h".into(),
        );
        check(
            old.clone(),
            old,
            &[": Forbidden: static pods cannot be resized"],
        );
    }
}
