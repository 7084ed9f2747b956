use serde_json::{Value, json};

use super::*;
use crate::scheme::Gvk;

#[track_caller]
fn check(kind: (&str, &str, &str), target: Value, patch: Value, expected: Value) {
    let schema = Schema::builtin(&Gvk::new(kind.0, kind.1, kind.2)).unwrap();
    let mut patched = target.clone();
    apply(&mut patched, &patch, &schema).unwrap();
    assert_eq!(patched, expected, "{target} patched by {patch}");
    let once = patched.clone();
    apply(&mut patched, &patch, &schema).unwrap();
    assert_eq!(patched, once, "a second time changes something: {patch}");
}

const POD: (&str, &str, &str) = ("", "v1", "Pod");
const DEPLOYMENT: (&str, &str, &str) = ("apps", "v1", "Deployment");

fn containers(items: Value) -> Value {
    json!({ "spec": { "containers": items } })
}

#[test]
fn lists_with_a_key_merge_item_by_item() {
    check(
        POD,
        containers(json!([{ "name": "a", "image": "a:1", "tty": true }, { "name": "b" }])),
        containers(json!([{ "name": "a", "image": "a:2" }, { "name": "c" }])),
        containers(
            json!([{ "name": "a", "image": "a:2", "tty": true }, { "name": "b" }, { "name": "c" }]),
        ),
    );
}

#[test]
fn items_can_be_deleted_or_replaced() {
    let target = containers(json!([{ "name": "a", "tty": true }, { "name": "b" }]));
    check(
        POD,
        target.clone(),
        containers(json!([{ "name": "a", "$patch": "delete" }])),
        containers(json!([{ "name": "b" }])),
    );
    check(
        POD,
        target.clone(),
        containers(json!([{ "name": "a", "image": "a:2", "$patch": "replace" }])),
        containers(json!([{ "name": "a", "image": "a:2" }, { "name": "b" }])),
    );
    check(
        POD,
        target,
        containers(json!([{ "$patch": "replace" }, { "name": "c" }])),
        containers(json!([{ "name": "c" }])),
    );
}

#[test]
fn lists_without_a_strategy_replace() {
    let args = |args: Value| containers(json!([{ "name": "a", "args": args }]));
    check(
        POD,
        args(json!(["x", "y"])),
        args(json!(["z"])),
        args(json!(["z"])),
    );
}

#[test]
fn lists_of_scalars_that_merge_are_sets() {
    let finalizers = |list: Value| json!({ "metadata": { "finalizers": list } });
    check(
        POD,
        finalizers(json!(["a"])),
        finalizers(json!(["b", "a"])),
        finalizers(json!(["a", "b"])),
    );
    check(
        POD,
        finalizers(json!(["a", "b"])),
        json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a"] } }),
        finalizers(json!(["b"])),
    );
}

#[test]
fn null_deletes_and_unset_fields_take_the_value_without_directives() {
    check(
        POD,
        json!({ "metadata": { "labels": { "a": "1" } } }),
        json!({ "metadata": { "labels": { "a": null } } }),
        json!({ "metadata": { "labels": {} } }),
    );
    check(
        POD,
        json!({}),
        containers(json!([{ "name": "a", "image": null }, { "name": "gone", "$patch": "delete" }])),
        containers(json!([{ "name": "a" }])),
    );
}

#[test]
fn objects_can_be_replaced_or_deleted() {
    let labels = |labels: Value| json!({ "metadata": { "labels": labels } });
    check(
        POD,
        labels(json!({ "a": "1" })),
        labels(json!({ "b": "2", "$patch": "replace" })),
        labels(json!({ "b": "2" })),
    );
    check(
        POD,
        labels(json!({ "a": "1" })),
        labels(json!({ "$patch": "delete" })),
        labels(json!({})),
    );
}

#[test]
fn retained_keys_are_all_that_stays() {
    let strategy = |strategy: Value| json!({ "spec": { "strategy": strategy } });
    check(
        DEPLOYMENT,
        strategy(json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } })),
        strategy(json!({ "$retainKeys": ["type"], "type": "Recreate" })),
        strategy(json!({ "type": "Recreate" })),
    );
}

#[test]
fn the_patch_decides_the_order_of_what_it_names() {
    check(
        POD,
        containers(json!([{ "name": "a" }, { "name": "server" }, { "name": "b" }])),
        json!({ "spec": {
            "$setElementOrder/containers": [{ "name": "b" }, { "name": "a" }, { "name": "new" }],
            "containers": [{ "name": "new" }],
        } }),
        containers(
            json!([{ "name": "server" }, { "name": "b" }, { "name": "a" }, { "name": "new" }]),
        ),
    );
}

#[test]
fn ports_merge_by_their_number() {
    let ports = |list: Value| json!({ "spec": { "ports": list } });
    check(
        ("", "v1", "Service"),
        ports(json!([{ "port": 80, "name": "http" }])),
        ports(json!([{ "port": 80, "targetPort": 8080 }, { "port": 443 }])),
        ports(json!([{ "port": 80, "name": "http", "targetPort": 8080 }, { "port": 443 }])),
    );
}

#[test]
fn nonsense_is_refused() {
    let schema = Schema::builtin(&Gvk::new("", "v1", "Pod")).unwrap();
    for patch in [
        json!([]),
        json!({ "metadata": { "$patch": "explode" } }),
        containers(json!([{ "image": "no name" }])),
        containers(json!(["a"])),
        json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": "a" } }),
    ] {
        let mut target = json!({ "metadata": { "finalizers": [] }, "spec": { "containers": [] } });
        let outcome = apply(&mut target, &patch, &schema);
        assert!(
            matches!(outcome, Err(PatchError::Malformed(_))),
            "{patch}: {outcome:?}"
        );
    }
}
