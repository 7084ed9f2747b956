use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scheme::Gvk;

fn schema(api_version: &str, kind: &str) -> std::sync::Arc<Schema> {
    Schema::builtin(&Gvk::from_api_version(api_version, kind)).unwrap()
}

#[track_caller]
fn check_spec(api_version: &str, kind: &str, before: Value, patch: Value, after: Value) {
    let mut object = json!({"spec": before});
    apply(
        &mut object,
        &json!({"spec": patch}),
        &schema(api_version, kind),
    )
    .unwrap();
    assert_eq!(object, json!({"spec": after}));
}

#[track_caller]
fn check_pod(before: Value, patch: Value, after: Value) {
    check_spec("v1", "Pod", before, patch, after);
}

#[track_caller]
fn complaint(before: Value, patch: Value) -> String {
    apply(
        &mut json!({"spec": before}),
        &json!({"spec": patch}),
        &schema("v1", "Pod"),
    )
    .unwrap_err()
    .to_string()
}

#[test]
fn lists_with_a_merge_key_merge_in_the_patchs_order() {
    check_pod(
        json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1", "tty": true}]}),
        json!({"containers": [{"name": "c", "image": "2"}, {"name": "b", "image": "2"}]}),
        json!({"containers": [
            {"name": "c", "image": "2"},
            {"name": "a", "image": "1"},
            {"name": "b", "image": "2", "tty": true},
        ]}),
    );
}

#[test]
fn lists_without_a_merge_key_replace_and_sets_of_scalars_join() {
    check_pod(
        json!({"tolerations": [{"key": "a"}], "containers": [{"name": "a", "args": ["x"]}]}),
        json!({"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["y"]}]}),
        json!({"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["y"]}]}),
    );
    let mut object = json!({"metadata": {"finalizers": ["a", "b"]}});
    apply(
        &mut object,
        &json!({"metadata": {"finalizers": ["c", "a"]}}),
        &schema("v1", "Pod"),
    )
    .unwrap();
    assert_eq!(object, json!({"metadata": {"finalizers": ["c", "a", "b"]}}));
}

#[test]
fn ports_merge_by_number_though_they_are_told_apart_by_protocol_too() {
    check_spec(
        "v1",
        "Service",
        json!({"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]}),
        json!({"ports": [{"port": 80, "name": "web"}, {"port": 81}]}),
        json!({"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000, "name": "web"}, {"port": 81}]}),
    );
}

#[test]
fn null_removes_and_never_stays_behind() {
    check_pod(
        json!({"nodeName": "n", "hostname": "h"}),
        json!({"nodeName": null, "absent": null, "securityContext": {"runAsUser": null, "runAsGroup": 1}}),
        json!({"hostname": "h", "securityContext": {"runAsGroup": 1}}),
    );
}

#[test]
fn directives_replace_and_delete_maps() {
    check_pod(
        json!({"securityContext": {"runAsUser": 1}, "nodeSelector": {"a": "b"}}),
        json!({"securityContext": {"$patch": "replace", "runAsGroup": 2}, "nodeSelector": {"$patch": "delete"}}),
        json!({"securityContext": {"runAsGroup": 2}, "nodeSelector": {}}),
    );
    check_pod(
        json!({"securityContext": {"runAsUser": 1}}),
        json!({"securityContext": {"$patch": "merge", "runAsGroup": 2}}),
        json!({"securityContext": {"runAsUser": 1, "runAsGroup": 2}}),
    );
}

#[test]
fn directives_replace_lists_and_delete_items() {
    let before = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    check_pod(
        before.clone(),
        json!({"containers": [{"$patch": "delete", "name": "a"}, {"$patch": "delete", "name": "absent"}]}),
        json!({"containers": [{"name": "b"}]}),
    );
    check_pod(
        before,
        json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
        json!({"containers": [{"name": "c"}]}),
    );
    check_pod(
        json!({}),
        json!({"containers": [{"$patch": "delete", "name": "a"}, {"name": "b", "image": null}]}),
        json!({"containers": [{"name": "b"}]}),
    );
}

#[test]
fn items_are_deleted_from_lists_of_scalars() {
    let mut object = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
    let patch = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["b"],
        "$setElementOrder/finalizers": ["d", "c"],
        "finalizers": ["d"],
    }});
    apply(&mut object, &patch, &schema("v1", "Pod")).unwrap();
    assert_eq!(object, json!({"metadata": {"finalizers": ["d", "a", "c"]}}));
}

#[test]
fn the_order_of_elements_is_set() {
    check_pod(
        json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "injected"}, {"name": "c"}]}),
        json!({
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "x"}, {"$patch": "delete", "name": "b"}],
        }),
        json!({"containers": [{"name": "injected"}, {"name": "c"}, {"name": "a", "image": "x"}]}),
    );
    let error = complaint(
        json!({"containers": []}),
        json!({"$setElementOrder/containers": [{"name": "a"}, {"name": "b"}], "containers": [{"name": "b"}, {"name": "a"}]}),
    );
    assert!(
        error.contains("doesn't match $setElementOrder/containers list"),
        "{error}"
    );
}

#[test]
fn retained_keys_drop_the_others() {
    check_spec(
        "apps/v1",
        "Deployment",
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
        json!({"strategy": {"type": "Recreate"}}),
    );
    check_pod(
        json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        json!({"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/x"}}]}),
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
    );
}

#[test]
fn malformed_patches_are_refused() {
    let before = json!({"containers": [{"name": "a"}], "volumes": [{"name": "v"}]});
    let of = |patch| complaint(before.clone(), patch);
    assert_eq!(
        of(json!({"$patch": "mend"})),
        "unknown patch type found: mend"
    );
    assert!(
        of(json!({"containers": [{"image": "x"}]}))
            .ends_with("does not contain declared merge key: name")
    );
    assert!(of(json!({"containers": ["x"]})).contains("expected a list of maps"));
    assert!(of(json!({"$retainKeys": ["a"], "nodeName": "n"})).contains("retainKeys"));
    assert!(of(json!({"$setElementOrder/containers": {}})).contains("not a list"));
    assert!(apply(&mut json!({}), &json!([]), &schema("v1", "Pod")).is_err());
}

#[test]
fn free_json_merges_as_a_merge_patch() {
    let mut object = json!({"data": {"a": {"b": 1}, "list": [{"name": "x"}]}});
    let patch = json!({"data": {"a": {"c": 2}, "list": [{"name": "y"}]}});
    apply(
        &mut object,
        &patch,
        &schema("apps/v1", "ControllerRevision"),
    )
    .unwrap();
    assert_eq!(
        object,
        json!({"data": {"a": {"b": 1, "c": 2}, "list": [{"name": "y"}]}})
    );
}

#[test]
fn long_lists_merge_item_by_item() {
    let items = |range: std::ops::Range<u32>, value: &str| -> Vec<Value> {
        let item = |i| json!({"name": format!("v{i}"), "value": value});
        range.map(item).collect()
    };
    let spec = |env: Vec<Value>| json!({"spec": {"containers": [{"name": "a", "env": env}]}});
    let schema = schema("v1", "Pod");
    let mut object = spec(items(0..60_000, "old"));
    let mut patch = items(30_000..90_000, "new");
    patch.extend((0..10_000).map(|i| json!({"$patch": "delete", "name": format!("v{i}")})));
    apply(&mut object, &spec(patch), &schema).unwrap();
    let expected = [items(10_000..30_000, "old"), items(30_000..90_000, "new")];
    assert_eq!(object, spec(expected.concat()));
}

#[test]
fn items_without_their_key_stay_where_they_are() {
    let numbers = 0..40;
    let conditions: Vec<Value> = numbers
        .map(|i| match i % 2 {
            0 => json!({"reason": i.to_string()}),
            _ => json!({"type": format!("t{}", 40 - i)}),
        })
        .collect();
    let mut object = json!({"status": {"conditions": conditions}});
    let before = object.clone();
    let order = json!({"status": {"$setElementOrder/conditions": [{"type": "t1"}]}});
    apply(&mut object, &order, &schema("v1", "Pod")).unwrap();
    let list = |object: &Value| object["status"]["conditions"].as_array().unwrap().clone();
    assert_eq!(list(&object).len(), list(&before).len());
    let others = |list: Vec<Value>| {
        list.into_iter()
            .filter(|item| item["type"] != "t1")
            .collect()
    };
    let (after, before): (Vec<Value>, Vec<Value>) = (others(list(&object)), others(list(&before)));
    assert_eq!(after, before);
}

fn spec() -> impl Strategy<Value = Value> {
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4).prop_shuffle();
    (names, prop::option::of(0..3), prop::option::of("[xyz]")).prop_map(
        |(names, priority, node)| {
            let containers: Vec<_> = names
                .iter()
                .map(|name| json!({"name": name, "image": node}))
                .collect();
            json!({"containers": containers, "priority": priority, "nodeName": node})
        },
    )
}

/// A pod's spec without nulls: containers by name with their images, and a priority.
type Plain = (Vec<(&'static str, String)>, Option<u32>);

fn plain() -> impl Strategy<Value = Plain> {
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4).prop_shuffle();
    let images = prop::collection::vec("[xyz]", 4);
    let containers =
        (names, images).prop_map(|(names, images)| names.into_iter().zip(images).collect());
    (containers, prop::option::of(0u32..3))
}

fn object((containers, priority): &Plain) -> Value {
    let container = |(name, image): &(&str, String)| json!({"name": name, "image": image});
    let containers: Vec<_> = containers.iter().map(container).collect();
    match priority {
        Some(priority) => json!({"containers": containers, "priority": priority}),
        None => json!({"containers": containers}),
    }
}

/// The patch that `kubectl apply` makes of what was applied last, what is to be, and what there is.
fn three_way(last: &Plain, target: &Plain, live: &Plain) -> Value {
    let has = |plain: &Plain, name: &str| plain.0.iter().any(|(known, _)| *known == name);
    let set = target
        .0
        .iter()
        .filter(|container| !live.0.contains(container));
    let set = set.map(|(name, image)| json!({"name": name, "image": image}));
    let gone = last.0.iter().filter(|(name, _)| !has(target, name));
    let gone = gone.map(|(name, _)| json!({"$patch": "delete", "name": name}));
    let order: Vec<_> = target
        .0
        .iter()
        .map(|(name, _)| json!({ "name": name }))
        .collect();
    let mut patch = json!({
        "$setElementOrder/containers": order,
        "containers": set.chain(gone).collect::<Vec<_>>(),
    });
    match (target.1, last.1) {
        (Some(priority), _) => patch["priority"] = priority.into(),
        (None, Some(_)) => patch["priority"] = Value::Null,
        (None, None) => {}
    }
    patch
}

proptest! {
    #[test]
    fn a_three_way_patch_makes_the_target_and_spares_the_rest(
        last in plain(), target in plain(), live in plain(),
    ) {
        let mut patched = json!({"spec": object(&live)});
        let patch = json!({"spec": three_way(&last, &target, &live)});
        apply(&mut patched, &patch, &schema("v1", "Pod")).unwrap();
        let names = |plain: &Plain| plain.0.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let (applied, wanted) = (names(&last), names(&target));
        let found = patched["spec"]["containers"].as_array().unwrap();
        let (targeted, rest): (Vec<_>, Vec<_>) =
            found.iter().partition(|item| wanted.iter().any(|name| item["name"] == *name));
        prop_assert_eq!(json!(targeted), object(&target)["containers"].clone());
        let is_others = |(name, _): &&(&str, String)| !applied.contains(name) && !wanted.contains(name);
        let others: Vec<_> = live.0.iter().filter(is_others).cloned().collect();
        prop_assert_eq!(json!(rest), object(&(others, None))["containers"].clone());
        let priority = target.1.or(live.1.filter(|_| last.1.is_none()));
        prop_assert_eq!(patched["spec"]["priority"].as_u64(), priority.map(u64::from));
    }

    #[test]
    fn is_idempotent(before in spec(), patch in spec()) {
        let schema = schema("v1", "Pod");
        let (mut object, patch) = (json!({"spec": before}), json!({"spec": patch}));
        apply(&mut object, &patch, &schema).unwrap();
        let once = object.clone();
        apply(&mut object, &patch, &schema).unwrap();
        prop_assert_eq!(object, once);
    }
}
