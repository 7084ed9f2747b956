use std::fmt::Write as _;

use expect_test::{Expect, expect};
use k8s_runtime::Store;
use serde_json::{Value, json};

use super::{super::revision::DESIRED_REPLICAS, *};

const NOW: &str = "2026-01-01T00:10:00Z";

fn deployment(changes: Value) -> Deployment {
    let mut deployment = json!({
        "metadata": {
            "name": "web", "namespace": "default", "uid": "d", "generation": 1,
            "annotations": {REVISION: "1"},
        },
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "progressDeadlineSeconds": 600, "revisionHistoryLimit": 1,
            "template": template("new"),
        },
    });
    merge(&mut deployment, changes);
    serde_json::from_value(deployment).expect("a Deployment")
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// A set of `replicas` pods, all of them available, that was sized for three.
fn set(image: &str, revision: i64, replicas: i32) -> Arc<ReplicaSet> {
    let set = json!({
        "metadata": {
            "name": format!("web-{image}"), "uid": image, "generation": 1,
            "creationTimestamp": format!("2026-01-01T00:00:0{revision}Z"),
            "annotations": {
                REVISION: revision.to_string(), DESIRED_REPLICAS: "3",
                "deployment.kubernetes.io/max-replicas": "4",
            },
        },
        "spec": {"replicas": replicas, "selector": {}, "template": template(image)},
        "status": {
            "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "observedGeneration": 1,
        },
    });
    Arc::new(serde_json::from_value(set).expect("a ReplicaSet"))
}

fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    into.remove(&name);
                    continue;
                }
                merge(into.entry(name).or_insert(Value::Null), change);
            }
        }
        (into, change) => *into = change,
    }
}

fn view(deployment: Deployment, sets: Vec<Arc<ReplicaSet>>) -> View {
    let pods = Store::default();
    let mut view = View::new(Arc::new(deployment), Vec::new(), &pods);
    let new = sets
        .iter()
        .position(|set| template::is_of(set, &view.deployment.spec.template));
    let mut sets = sets;
    view.new = new.map(|position| sets.remove(position));
    view.old = sets;
    view
}

/// A line per write; a status as its conditions.
#[track_caller]
fn check(view: &View, expected: Expect) {
    let plan = plan(view, NOW.parse().unwrap());
    let mut text = String::new();
    for write in &plan.writes {
        match write {
            Write::Create(set) => {
                let size = set.spec.replicas.unwrap_or(0);
                let revision = revision::of(set);
                writeln!(text, "create size {size} revision {revision}")
            }
            Write::Update { set, from, to } => {
                let name = set.metadata.name.as_deref().unwrap();
                let revision = revision::of(set);
                writeln!(text, "update {name} {from} -> {to} revision {revision}")
            }
            Write::Delete(set) => {
                writeln!(text, "delete {}", set.metadata.name.as_deref().unwrap())
            }
            Write::SetRevision(deployment) => {
                let annotations = deployment.metadata.annotations.as_ref().unwrap();
                writeln!(text, "revision {}", annotations[REVISION])
            }
            Write::SetStatus(status) => {
                for condition in status.conditions.iter().flatten() {
                    let part = |part: &Option<String>| part.clone().unwrap_or_default();
                    writeln!(
                        text,
                        "{}={} {}: {}",
                        part(&condition.type_),
                        part(&condition.status),
                        part(&condition.reason),
                        part(&condition.message),
                    )
                    .unwrap();
                }
                Ok(())
            }
        }
        .unwrap();
    }
    if let Some(again) = plan.again {
        writeln!(text, "again in {}s", again.as_secs()).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn a_new_deployment_creates_its_first_set_at_full_size() {
    let new = deployment(json!({"metadata": {"annotations": {REVISION: null}}}));
    check(
        &view(new, vec![]),
        expect![[r#"
            create size 3 revision 1
            revision 1
            Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.
            Progressing=True NewReplicaSetCreated: Created new replica set "web-bddk455bb5"
            again in 601s
        "#]],
    );
}

#[test]
fn a_changed_template_starts_a_rollout_within_the_surge() {
    check(
        &view(deployment(json!({})), vec![set("old", 1, 3)]),
        expect![[r#"
            create size 1 revision 2
            revision 2
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=True NewReplicaSetCreated: Created new replica set "web-bddk455bb5"
            again in 601s
        "#]],
    );
}

#[test]
fn in_the_middle_old_pods_go_as_new_ones_are_available() {
    check(
        &view(
            deployment(json!({"metadata": {"annotations": {REVISION: "2"}}})),
            vec![set("old", 1, 3), set("new", 2, 1)],
        ),
        expect![[r#"
            update web-old 3 -> 2 revision 1
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=True ReplicaSetUpdated: ReplicaSet "web-new" is progressing.
            again in 601s
        "#]],
    );
}

#[test]
fn a_finished_rollout_says_so_and_forgets_surplus_history() {
    let done = json!({
        "metadata": {"annotations": {REVISION: "4"}},
        "status": {
            "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
            "availableReplicas": 3,
        },
    });
    check(
        &view(
            deployment(done),
            vec![
                set("a", 1, 0),
                set("b", 2, 0),
                set("c", 3, 0),
                set("new", 4, 3),
            ],
        ),
        expect![[r#"
            delete web-a
            delete web-b
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=True NewReplicaSetAvailable: ReplicaSet "web-new" has successfully progressed.
        "#]],
    );
}

#[test]
fn a_rollout_that_stands_still_for_too_long_has_timed_out() {
    let mut stuck = ReplicaSet::clone(&set("new", 2, 1));
    stuck.status.as_mut().unwrap().available_replicas = None;
    stuck.status.as_mut().unwrap().ready_replicas = None;
    let progressing = |since: &str| {
        json!({
            "metadata": {"annotations": {REVISION: "2"}},
            "status": {
                "observedGeneration": 1, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
                "availableReplicas": 3, "unavailableReplicas": 1,
                "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
                    "message": "", "lastUpdateTime": since}],
            },
        })
    };
    let sets = || vec![set("old", 1, 3), Arc::new(stuck.clone())];
    check(
        &view(deployment(progressing("2026-01-01T00:00:10Z")), sets()),
        expect![[r#"
            Progressing=True ReplicaSetUpdated: 
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            again in 11s
        "#]],
    );
    check(
        &view(deployment(progressing("2025-12-31T23:59:59Z")), sets()),
        expect![[r#"
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=False ProgressDeadlineExceeded: ReplicaSet "web-new" has timed out progressing.
        "#]],
    );
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_in_proportion_and_judges_no_progress() {
    check(
        &view(
            deployment(
                json!({"metadata": {"annotations": {REVISION: "2"}}, "spec": {"replicas": 6}}),
            ),
            vec![set("old", 1, 2), set("new", 2, 2)],
        ),
        expect![[r#"
            update web-new 2 -> 4 revision 2
            update web-old 2 -> 4 revision 1
            Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.
        "#]],
    );
}

#[test]
fn scaling_a_settled_deployment_scales_its_set() {
    check(
        &view(
            deployment(json!({"spec": {"replicas": 5}})),
            vec![set("new", 1, 3)],
        ),
        expect![[r#"
            update web-new 3 -> 5 revision 1
            Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.
        "#]],
    );
}

#[test]
fn a_paused_deployment_starts_no_rollout_but_scales() {
    check(
        &view(
            deployment(json!({"spec": {"paused": true}})),
            vec![set("old", 1, 3)],
        ),
        expect![[r#"
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=Unknown DeploymentPaused: Deployment is paused
        "#]],
    );
    check(
        &view(
            deployment(json!({"spec": {"paused": true, "replicas": 1}})),
            vec![set("old", 1, 3)],
        ),
        expect![[r#"
            update web-old 3 -> 1 revision 1
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=Unknown DeploymentPaused: Deployment is paused
        "#]],
    );
}

#[test]
fn a_rollback_reuses_the_old_set_under_a_new_revision() {
    check(
        &view(
            deployment(json!({"metadata": {"annotations": {REVISION: "2"}}})),
            vec![set("new", 1, 0), set("bad", 2, 3)],
        ),
        expect![[r#"
            update web-new 0 -> 1 revision 3
            revision 3
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=True ReplicaSetUpdated: ReplicaSet "web-new" is progressing.
            again in 601s
        "#]],
    );
}

#[test]
fn recreate_waits_for_the_end_of_old_pods() {
    let recreate = || deployment(json!({"spec": {"strategy": {"type": "Recreate"}}}));
    check(
        &view(recreate(), vec![set("old", 1, 3)]),
        expect![[r#"
            update web-old 3 -> 0 revision 1
            Available=True MinimumReplicasAvailable: Deployment has minimum availability.
            Progressing=True ReplicaSetUpdated: Deployment "web" is progressing.
            again in 601s
        "#]],
    );
    let mut busy = view(recreate(), vec![set("old", 1, 0)]);
    busy.has_old_pods = true;
    check(
        &busy,
        expect![[r#"
            Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.
        "#]],
    );
    check(
        &view(recreate(), vec![set("old", 1, 0)]),
        expect![[r#"
            create size 3 revision 2
            revision 2
            Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.
            Progressing=True NewReplicaSetCreated: Created new replica set "web-bddk455bb5"
            again in 601s
        "#]],
    );
}

#[test]
fn a_settled_deployment_needs_nothing() {
    let done = view(deployment(json!({})), vec![set("new", 1, 3)]);
    let first = plan(&done, NOW.parse().unwrap());
    let Some(Write::SetStatus(status)) = first.writes.into_iter().last() else {
        panic!("the first round writes the status");
    };
    let mut settled = Deployment::clone(&done.deployment);
    settled.status = Some(status);
    check(&view(settled, vec![set("new", 1, 3)]), expect![[r#""#]]);
}
