use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::scheme::Gvk;

fn manager<'a>(name: &'a str, operation: Operation, time: &'a str) -> Manager<'a> {
    Manager {
        name,
        operation,
        api_version: "apps/v1",
        subresource: "",
        time,
    }
}

fn schema() -> Arc<Schema> {
    Schema::builtin(&Gvk::new("apps", "v1", "Deployment")).unwrap()
}

fn deployment(mut parts: Value) -> Object {
    let head = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}});
    crate::patch::merge::apply(&mut parts, &head);
    Object::from_value(parts).unwrap()
}

/// Several managers at one object, a step per second.
struct Scene {
    live: Option<Object>,
    second: u32,
}

impl Scene {
    fn new() -> Self {
        Scene {
            live: None,
            second: 0,
        }
    }

    fn tick(&mut self) -> String {
        self.second += 1;
        format!("2026-01-01T00:00:{:02}Z", self.second)
    }

    fn try_apply(&mut self, name: &str, parts: Value, force: bool) -> Result<(), ApplyError> {
        let time = self.tick();
        let manager = manager(name, Operation::Apply, &time);
        self.live = Some(apply(
            self.live.as_ref(),
            &deployment(parts),
            &schema(),
            &manager,
            force,
        )?);
        Ok(())
    }

    #[track_caller]
    fn apply(mut self, name: &str, parts: Value) -> Self {
        self.try_apply(name, parts, false).unwrap();
        self
    }

    #[track_caller]
    fn force(mut self, name: &str, parts: Value) -> Self {
        self.try_apply(name, parts, true).unwrap();
        self
    }

    #[track_caller]
    fn conflict(&mut self, name: &str, parts: Value) -> String {
        let before = self.live.clone();
        let error = self.try_apply(name, parts, false).unwrap_err();
        assert_eq!(self.live, before);
        error.to_string()
    }

    /// Creates, or merges a patch.
    fn update(mut self, name: &str, patch: Value) -> Self {
        let time = self.tick();
        let mut value = self
            .live
            .clone()
            .map_or_else(|| deployment(json!({})).into_value(), Object::into_value);
        crate::patch::merge::apply(&mut value, &patch);
        let mut new = Object::from_value(value).unwrap();
        track_update(
            self.live.as_ref(),
            &mut new,
            &schema(),
            &manager(name, Operation::Update, &time),
        );
        self.live = Some(new);
        self
    }

    /// The object without its head, then a line per manager.
    #[track_caller]
    fn check(self, expected: Expect) -> Self {
        let mut object = self.live.clone().unwrap();
        let entries = object
            .remove(&["metadata", "managedFields"])
            .unwrap_or_else(|| json!([]));
        let labels = object
            .get(&["metadata", "labels"])
            .map(|labels| format!("labels: {labels}\n"));
        let spec = object.get(&["spec"]).cloned().unwrap_or_default();
        let mut text = format!("{}spec: {spec}\n", labels.unwrap_or_default());
        for entry in entries.as_array().unwrap() {
            let of = |name: &str| entry[name].as_str().unwrap_or_default();
            let time = of("time").trim_start_matches("2026-01-01T00:00:");
            text += &format!(
                "{} {} {time} {}\n",
                of("manager"),
                of("operation"),
                entry["fieldsV1"]
            );
        }
        expected.assert_eq(&text);
        self
    }
}

fn containers(list: &[(&str, &str)]) -> Value {
    let containers: Vec<_> = list
        .iter()
        .map(|(name, image)| json!({"name": name, "image": image}))
        .collect();
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn an_applier_owns_what_it_configures_and_nothing_else() {
    Scene::new()
        .apply(
            "me",
            json!({
                "metadata": {"labels": {"a": "b"}},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": {"a": "b"}},
                    "template": {"spec": {"containers": [
                        {"name": "c", "args": ["x"], "ports": [{"containerPort": 80}], "resources": {}},
                    ]}},
                },
                "status": {"replicas": 3},
            }),
        )
        .check(expect![[r#"
            labels: {"a":"b"}
            spec: {"replicas":1,"selector":{"matchLabels":{"a":"b"}},"template":{"spec":{"containers":[{"args":["x"],"name":"c","ports":[{"containerPort":80}],"resources":{}}]}}}
            me Apply 01Z {"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:args":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}},"f:resources":{}}}}}}}
        "#]]);
}

#[test]
fn a_creator_owns_what_it_made_with_the_parents_that_it_made() {
    Scene::new()
        .update(
            "kubectl-create",
            json!({
                "metadata": {"labels": {"a": "b"}, "creationTimestamp": "2026-01-01T00:00:00Z", "uid": "1"},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": {"a": "b"}},
                    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                    "template": {
                        "metadata": {"labels": {"a": "b"}},
                        "spec": {"containers": [{"name": "c", "env": [{"name": "E", "value": "1"}], "resources": {}}]},
                    },
                },
            }),
        )
        .check(expect![[r#"
            labels: {"a":"b"}
            spec: {"replicas":1,"selector":{"matchLabels":{"a":"b"}},"strategy":{"rollingUpdate":{"maxSurge":"25%"},"type":"RollingUpdate"},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"env":[{"name":"E","value":"1"}],"name":"c","resources":{}}]}}}
            kubectl-create Update 01Z {"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:replicas":{},"f:selector":{},"f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},"f:template":{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"E\"}":{".":{},"f:name":{},"f:value":{}}},"f:name":{},"f:resources":{}}}}}}}
        "#]]);
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let config = json!({"spec": {"replicas": 1, "paused": true}});
    let once = Scene::new().apply("me", config.clone());
    let first = once.live.clone();
    assert_eq!(once.apply("me", config).live, first);
}

#[test]
fn what_is_no_longer_configured_goes_unless_others_own_it() {
    Scene::new()
        .apply(
            "me",
            json!({"spec": {"replicas": 1, "paused": true, "minReadySeconds": 3}}),
        )
        .apply("other", json!({"spec": {"paused": true}}))
        .apply("me", json!({"spec": {"minReadySeconds": 3}}))
        .check(expect![[r#"
            spec: {"minReadySeconds":3,"paused":true}
            other Apply 02Z {"f:spec":{"f:paused":{}}}
            me Apply 03Z {"f:spec":{"f:minReadySeconds":{}}}
        "#]]);
}

#[test]
fn the_last_label_goes_without_taking_the_metadata_along() {
    let scene = Scene::new()
        .apply(
            "me",
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"replicas": 1}}),
        )
        .apply("me", json!({"spec": {"replicas": 1}}));
    let live = scene.live.unwrap();
    assert_eq!((live.name(), live.labels().count()), ("web", 0));
}

#[test]
fn items_go_with_all_that_is_in_them_and_others_keep_theirs() {
    Scene::new()
        .apply("me", containers(&[("a", "1"), ("b", "1")]))
        .apply("other", containers(&[("b", "1"), ("c", "1")]))
        .apply("me", containers(&[]))
        .check(expect![[r#"
            spec: {"template":{"spec":{"containers":[{"image":"1","name":"b"},{"image":"1","name":"c"}]}}}
            other Apply 02Z {"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{},"f:name":{}},"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}}}}
        "#]]);
}

#[test]
fn items_come_in_the_configurations_order() {
    let scene = Scene::new()
        .apply("other", containers(&[("x", "1")]))
        .apply("me", containers(&[("a", "1"), ("b", "1")]))
        .apply("me", containers(&[("b", "1"), ("a", "1")]));
    let live = scene.live.unwrap();
    let list = live
        .get(&["spec", "template", "spec", "containers"])
        .unwrap()
        .as_array()
        .unwrap();
    let names: Vec<_> = list
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["x", "b", "a"]);
}

#[test]
fn changing_what_another_owns_is_a_conflict_in_kubernetes_words() {
    let mut scene =
        Scene::new().update("kubectl", json!({"spec": {"replicas": 1, "paused": true}}));
    assert_eq!(
        scene.conflict("me", json!({"spec": {"replicas": 2}})),
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas"
    );
    let mut scene = scene.apply("ci", containers(&[("a", "1")]));
    let mut config = containers(&[("a", "2")]);
    config["spec"]["replicas"] = json!(2);
    config["spec"]["paused"] = json!(false);
    expect![[r#"
        Apply failed with 3 conflicts: conflicts with "ci":
        - .spec.template.spec.containers[name="a"].image
        conflicts with "kubectl" using apps/v1:
        - .spec.paused
        - .spec.replicas"#]]
    .assert_eq(&scene.conflict("me", config));
}

#[test]
fn setting_the_same_value_shares_it() {
    Scene::new()
        .update("kubectl", json!({"spec": {"replicas": 1}}))
        .apply("me", json!({"spec": {"replicas": 1}}))
        .check(expect![[r#"
            spec: {"replicas":1}
            me Apply 02Z {"f:spec":{"f:replicas":{}}}
            kubectl Update 01Z {"f:spec":{"f:replicas":{}}}
        "#]]);
}

#[test]
fn force_takes_what_others_own() {
    Scene::new()
        .update("kubectl", json!({"spec": {"replicas": 1, "paused": true}}))
        .force("me", json!({"spec": {"replicas": 2}}))
        .check(expect![[r#"
            spec: {"paused":true,"replicas":2}
            me Apply 02Z {"f:spec":{"f:replicas":{}}}
            kubectl Update 01Z {"f:spec":{"f:paused":{}}}
        "#]]);
}

#[test]
fn an_update_takes_what_it_changes_and_everyone_loses_what_it_removes() {
    Scene::new()
        .apply(
            "me",
            json!({"spec": {"replicas": 1, "paused": true, "minReadySeconds": 1}}),
        )
        .update("hpa", json!({"spec": {"replicas": 5, "paused": null}}))
        .check(expect![[r#"
            spec: {"minReadySeconds":1,"replicas":5}
            me Apply 01Z {"f:spec":{"f:minReadySeconds":{}}}
            hpa Update 02Z {"f:spec":{"f:replicas":{}}}
        "#]])
        .update("hpa", json!({"spec": {"replicas": 6}}))
        .update("nobody", json!({}))
        .check(expect![[r#"
            spec: {"minReadySeconds":1,"replicas":6}
            me Apply 01Z {"f:spec":{"f:minReadySeconds":{}}}
            hpa Update 03Z {"f:spec":{"f:replicas":{}}}
        "#]]);
}

#[test]
fn clients_may_leave_managed_fields_out_or_reset_them() {
    let managed = |sent: Option<Value>| {
        let mut scene = Scene::new().apply("me", json!({"spec": {"replicas": 1}}));
        let mut new = scene.live.clone().unwrap();
        new.remove(&["metadata", "managedFields"]);
        if let Some(sent) = sent {
            new.set(&["metadata", "managedFields"], sent);
        }
        let manager = manager("kubectl", Operation::Update, "2026-01-01T00:00:09Z");
        track_update(scene.live.as_ref(), &mut new, &schema(), &manager);
        scene.live = Some(new);
        scene
            .live
            .unwrap()
            .get(&["metadata", "managedFields"])
            .map(|list| list[0]["manager"].clone())
    };
    assert_eq!(managed(None), Some(json!("me")));
    assert_eq!(
        managed(Some(json!([{"operation": "nonsense"}]))),
        Some(json!("me"))
    );
    assert_eq!(managed(Some(json!([{}]))), None);
    assert_eq!(managed(Some(json!([]))), None);
}

#[test]
fn what_nobody_recorded_belongs_to_a_stand_in() {
    let mut scene = Scene::new();
    scene.live = Some(deployment(
        json!({"spec": {"replicas": 1, "paused": true}, "status": {"replicas": 1}}),
    ));
    scene
        .force("me", json!({"spec": {"replicas": 2}}))
        .check(expect![[r#"
        spec: {"paused":true,"replicas":2}
        me Apply 01Z {"f:spec":{"f:replicas":{}}}
        before-first-apply Update 01Z {"f:spec":{"f:paused":{}}}
    "#]]);
}

#[test]
fn subresources_are_managers_of_their_own() {
    let scene = Scene::new().update("me", json!({"spec": {"replicas": 1}}));
    let live = scene.live.unwrap();
    let mut new = live.clone();
    new.set(&["status", "replicas"], json!(1));
    let status = Manager {
        subresource: "status",
        ..manager("me", Operation::Update, "2026-01-01T00:00:02Z")
    };
    track_update(Some(&live), &mut new, &schema(), &status);
    let entries = new.get(&["metadata", "managedFields"]).unwrap();
    assert_eq!(entries[1]["subresource"], "status");
    assert_eq!(
        entries[1]["fieldsV1"],
        json!({"f:status": {".": {}, "f:replicas": {}}})
    );
    assert_eq!(
        entries[0]["fieldsV1"],
        json!({"f:spec": {"f:replicas": {}}})
    );
}

#[test]
fn the_oldest_updaters_are_joined() {
    let mut scene = Scene::new();
    for i in 0..14 {
        scene = scene.update(
            &format!("m{i}"),
            json!({"metadata": {"labels": {(format!("l{i}")): "x"}}}),
        );
    }
    let live = scene.live.unwrap();
    let entries = live
        .get(&["metadata", "managedFields"])
        .unwrap()
        .as_array()
        .unwrap();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "ancient-changes",
            "m5",
            "m6",
            "m7",
            "m8",
            "m9",
            "m10",
            "m11",
            "m12",
            "m13"
        ]
    );
}

#[test]
fn configurations_that_cannot_be_merged_are_refused() {
    let complaint = |parts: Value| Scene::new().conflict("me", parts);
    assert_eq!(
        complaint(json!({"metadata": {"managedFields": [{}]}})),
        "metadata.managedFields must be nil"
    );
    let unnamed = json!({"spec": {"template": {"spec": {"containers": [{"image": "1"}]}}}});
    assert_eq!(
        complaint(unnamed),
        ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field \
         \"name\" (and doesn't have default value)"
    );
    assert_eq!(
        complaint(containers(&[("a", "1"), ("a", "2")])),
        ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]"
    );
}

#[test]
fn field_sets_round_trip() {
    let fields = json!({
        "f:a": {".": {}, "f:b": {}},
        "f:l": {"k:{\"name\":\"x\",\"port\":80}": {".": {}, "f:y": {}}, "v:\"z\"": {}},
    });
    let set = FieldSet::from_fields_v1(&fields);
    assert_eq!(set.to_fields_v1(), fields);
    assert_eq!(
        set.paths(),
        [
            ".a",
            ".a.b",
            ".l[name=\"x\",port=80]",
            ".l[name=\"x\",port=80].y",
            ".l[=\"z\"]"
        ]
    );
}

#[test]
fn long_lists_merge_item_by_item() {
    let names: Vec<String> = (0..20_000).map(|i| format!("c{i}")).collect();
    let list = |range: std::ops::Range<usize>, image| -> Vec<(&str, &str)> {
        names[range]
            .iter()
            .map(|name| (name.as_str(), image))
            .collect()
    };
    let mut scene = Scene::new();
    scene
        .try_apply("other", containers(&list(0..15_000, "x")), false)
        .unwrap();
    scene
        .try_apply("me", containers(&list(5_000..20_000, "x")), false)
        .unwrap();
    let live = scene.live.unwrap();
    let found = live
        .get(&["spec", "template", "spec", "containers"])
        .unwrap();
    let found = found.as_array().unwrap().iter();
    assert!(
        found
            .map(|item| item["name"].as_str().unwrap())
            .eq(names.iter())
    );
}

#[test]
fn what_is_not_of_the_form_of_a_set_is_skipped() {
    let fields = json!({"f:a": [], "f:b": {"f:c": "x"}, "f:d": {".": 1, "f:e": {}}});
    let set = FieldSet::from_fields_v1(&fields);
    assert_eq!(set.to_fields_v1(), json!({"f:d": {".": {}, "f:e": {}}}));
    for none in [json!({}), json!({"f:a": 1}), json!(null)] {
        assert!(FieldSet::from_fields_v1(&none).is_empty(), "{none}");
    }
}

fn config() -> impl Strategy<Value = Value> {
    let names = prop::sample::subsequence(vec!["a", "b", "c"], 1..=3).prop_shuffle();
    let labels = prop::collection::btree_map("[ab]", "[xy]", 0..3);
    (names, labels, prop::option::of(0..3), "[xy]").prop_map(|(names, labels, replicas, image)| {
        let list: Vec<_> = names.iter().map(|name| (*name, image.as_str())).collect();
        let mut config = containers(&list);
        config["metadata"] = json!({ "labels": labels });
        if let Some(replicas) = replicas {
            config["spec"]["replicas"] = json!(replicas);
        }
        config
    })
}

/// What is there, with its containers by name: nobody owns their order.
fn whatever_its_order(scene: &Scene) -> Object {
    let mut live = scene.live.clone().unwrap();
    let path = ["spec", "template", "spec", "containers"];
    let mut containers = live.get(&path).and_then(Value::as_array).unwrap().clone();
    containers.sort_by_key(|container| container["name"].to_string());
    live.set(&path, containers.into());
    live
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(before in config(), other in config(), mine in config()) {
        let mut scene = Scene::new();
        scene.try_apply("me", before, true).unwrap();
        scene.try_apply("other", other, true).unwrap();
        scene.try_apply("me", mine.clone(), true).unwrap();
        let once = scene.live.clone();
        scene.try_apply("me", mine, false).unwrap();
        prop_assert_eq!(scene.live, once);
    }

    #[test]
    fn what_another_manager_owns_stays_as_it_set_it(
        before in config(), other in config(), mine in config(), force in any::<bool>(),
    ) {
        let mut scene = Scene::new();
        scene.try_apply("me", before, true).unwrap();
        scene.try_apply("other", other.clone(), true).unwrap();
        let owned = |scene: &Scene| {
            let managers = Managers::of(scene.live.as_ref().unwrap()).unwrap().0;
            managers.into_iter().find(|entry| entry.name == "other").unwrap_or_else(|| {
                Entry::new(&manager("other", Operation::Apply, ""), FieldSet::default())
            }).fields
        };
        let former = owned(&scene);
        let there = |scene: &Scene| {
            compare(None, scene.live.as_ref().unwrap().as_map(), &schema()).added
        };
        match scene.try_apply("me", mine.clone(), force) {
            Ok(()) if force => {
                // It may lose what is changed, and nothing else.
                let mine = set_by(&deployment(mine), &schema(), &manager("me", Operation::Apply, ""));
                let mut lost = former.clone();
                lost.subtract(&owned(&scene));
                prop_assert_eq!(lost.intersection(&mine).paths(), lost.paths());
            }
            Ok(()) => {
                prop_assert_eq!(owned(&scene).paths(), former.paths());
                let after = whatever_its_order(&scene);
                scene.try_apply("other", other, false).unwrap();
                prop_assert_eq!(whatever_its_order(&scene), after);
            }
            // Nothing has happened.
            Err(error) => prop_assert!(!force, "forced, but {error}"),
        }
        let kept = owned(&scene);
        prop_assert_eq!(there(&scene).intersection(&kept).paths(), kept.paths());
    }

    #[test]
    fn a_lone_applier_gets_what_it_configures(before in config(), mine in config()) {
        let mut scene = Scene::new();
        scene.try_apply("me", before, false).unwrap();
        scene.try_apply("me", mine.clone(), false).unwrap();
        let live = scene.live.unwrap();
        let wanted = deployment(mine);
        let names = |object: &Object| {
            let list = object.get(&["spec", "template", "spec", "containers"]).and_then(Value::as_array);
            list.into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(names(&live), names(&wanted));
        prop_assert_eq!(live.labels().collect::<Vec<_>>(), wanted.labels().collect::<Vec<_>>());
        prop_assert_eq!(live.get(&["spec", "replicas"]), wanted.get(&["spec", "replicas"]));
    }

    #[test]
    fn sets_obey_the_laws_of_sets(a in config(), b in config()) {
        let schema = schema();
        let (a, b) = (FieldSet::of(&a, &schema), FieldSet::of(&b, &schema));
        let mut union = a.clone();
        union.union(&b);
        let mut difference = union.clone();
        difference.subtract(&b);
        prop_assert!(difference.intersection(&b).is_empty());
        prop_assert_eq!(union.intersection(&a), a.clone());
        prop_assert_eq!(FieldSet::from_fields_v1(&a.to_fields_v1()), a);
    }
}
