use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::{Value, json};

use super::*;
use crate::stateful_set::{history::History, status::status};

const NOW: &str = "2026-01-01T01:00:00Z";

/// A set of three with one claim each; `fields` replace those of its spec.
fn set(fields: Value) -> StatefulSet {
    let mut set = json!({
        "metadata": {"name": "web", "namespace": "ns", "uid": "set"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        },
    });
    for (key, value) in fields.as_object().expect("fields") {
        set["spec"][key] = value.clone();
    }
    serde_json::from_value(set).expect("a StatefulSet")
}

/// Pods in words: `0` is available, `1?` pending, `2-` terminating, `3!` failed, `4~` of the old revision, `5~?` both.
fn view(fields: Value, pods: &str, claims: &[Value]) -> View {
    let set = Arc::new(set(fields));
    let mut old = revision::of_template(&set, &[], 0);
    old.metadata.name = Some("web-old".into());
    let history = History {
        current: Arc::new(old),
        update: Arc::new(revision::of_template(&set, &[], 0)),
        collisions: 0,
    };
    let pods = pods.split_whitespace().map(|word| {
        let ordinal: i32 = word.trim_end_matches(['?', '-', '!', '~']).parse().expect("an ordinal");
        let of = match word.contains('~') {
            true => "web-old",
            false => revision::name(&history.update),
        };
        let mut pod = identity::pod(&set, &set.spec.template, of, ordinal);
        pod.metadata.uid = Some(format!("pod-{ordinal}"));
        let phase = match word {
            _ if word.contains('?') => "Pending",
            _ if word.contains('!') => "Failed",
            _ => "Running",
        };
        let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let status = json!({"phase": phase, "conditions": if phase == "Running" { ready } else { json!([]) }});
        pod.status = serde_json::from_value(status).expect("a status");
        if word.contains('-') {
            pod.metadata.deletion_timestamp = serde_json::from_value(json!(NOW)).expect("a time");
        }
        Arc::new(pod)
    });
    let pods = pods.collect();
    let claims: Vec<_> = claims
        .iter()
        .map(|claim| Arc::new(serde_json::from_value(json!({"metadata": claim})).expect("a claim")))
        .collect();
    View::new(set, pods, history, &claims, NOW.parse().expect("a time"))
}

fn kept() -> Vec<Value> {
    (0..9)
        .map(|at| json!({"name": format!("data-web-{at}"), "namespace": "ns"}))
        .collect()
}

/// `+0` creates, `+0(1)` with so many claims, `-0` deletes, `=0` updates, `c0(1)` makes claims, `o(1)` changes owners.
#[track_caller]
fn check_view(view: &View, want: &str) {
    let number = |pod: &Pod| identity::ordinal(&view.set, pod).expect("an ordinal");
    let steps = plan(view).into_iter().map(|step| match step {
        Step::Create(pod, claims) if claims.is_empty() => format!("+{}", number(&pod)),
        Step::Create(pod, claims) => format!("+{}({})", number(&pod), claims.len()),
        Step::Delete(pod) => format!("-{}", number(&pod)),
        Step::Update(pod) => format!("={}", number(&pod)),
        Step::Claim(pod, claims) => format!("c{}({})", number(&pod), claims.len()),
        Step::Own(claims) => format!("o({})", claims.len()),
    });
    assert_eq!(steps.collect::<Vec<_>>().join(" "), want);
}

#[track_caller]
fn check(fields: Value, pods: &str, want: &str) {
    check_view(&view(fields, pods, &kept()), want);
}

fn parallel() -> Value {
    json!({"podManagementPolicy": "Parallel"})
}

#[test]
fn in_order_each_waits_for_the_one_before() {
    check(json!({}), "", "+0");
    check(json!({}), "0?", "");
    check(json!({}), "0", "+1");
    check(json!({}), "0 1 2", "");
    check(json!({}), "0 2", "+1");
    check(json!({}), "0- 1", "");
    check(json!({}), "0 1! 2", "-1");
    check(json!({"minReadySeconds": 7200}), "0", "");
}

#[test]
fn in_parallel_nobody_waits() {
    check(parallel(), "", "+0 +1 +2");
    check(parallel(), "0? 2!", "+1 -2");
    let mut fields = parallel();
    fields["replicas"] = json!(1);
    check(fields, "0? 1 2? 3-", "-2 -1");
}

#[test]
fn what_is_too_many_goes_from_the_top() {
    let one = || json!({"replicas": 1});
    check(one(), "0 1 2", "-2");
    check(one(), "0 1 2-", "");
    check(one(), "0? 1 2", "");
    // Of those to go one that is ill may go, but not while one below is.
    check(one(), "0 1 2?", "-2");
    check(one(), "0 1? 2?", "");
}

#[test]
fn ordinals_may_start_anywhere() {
    let from_5 = || json!({"ordinals": {"start": 5}, "replicas": 2});
    check(from_5(), "", "+5");
    check(from_5(), "5 6", "");
    check(from_5(), "0 5 6", "-0");
}

#[test]
fn old_revisions_are_replaced_from_the_top() {
    check(json!({}), "0~ 1~ 2~", "-2");
    check(json!({}), "0~ 1~ 2", "-1");
    check(json!({}), "0~ 1~ 2-", "");
    let rolling = |fields: Value| json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": fields}});
    check(rolling(json!({"partition": 2})), "0~ 1~ 2", "");
    check(rolling(json!({"partition": 1})), "0~ 1~ 2", "-1");
    check(rolling(json!({"maxUnavailable": 2})), "0~ 1~ 2~", "-2 -1");
    check(
        rolling(json!({"maxUnavailable": "70%"})),
        "0~ 1~ 2~",
        "-2 -1",
    );
    check(
        json!({"updateStrategy": {"type": "OnDelete"}}),
        "0~ 1~ 2~",
        "",
    );
    // One that is ill is replaced at once, where nobody waits for it.
    check(parallel(), "0~ 1~? 2", "-1");
}

#[test]
fn what_a_partition_leaves_out_comes_back_as_it_was() {
    let rolling =
        json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}});
    let made = |pods: &str| {
        let view = view(rolling.clone(), pods, &kept());
        let steps = plan(&view);
        let Some(Step::Create(pod, _)) = steps.first() else {
            panic!("{steps:?}")
        };
        (
            revision::of_pod(pod) == "web-old",
            identity::ordinal(&view.set, pod),
        )
    };
    assert_eq!(made("0~"), (true, Some(1)));
    assert_eq!(made("0~ 1~"), (false, Some(2)));
}

#[test]
fn claims_are_made_before_their_pods_and_again_for_those_that_wait() {
    check_view(&view(json!({}), "", &[]), "+0(1)");
    check_view(&view(json!({}), "0?", &[]), "c0(1)");
    check_view(&view(json!({}), "0?", &kept()), "");
}

#[test]
fn the_policy_says_whose_the_claims_are() {
    let policy = |deleted: &str, scaled: &str, replicas: i32| {
        json!({"replicas": replicas, "persistentVolumeClaimRetentionPolicy":
            {"whenDeleted": deleted, "whenScaled": scaled}})
    };
    let owned = |kind: &str, name: &str, uid: &str| {
        let owner =
            json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true});
        json!({"name": "data-web-0", "namespace": "ns", "ownerReferences": [owner]})
    };
    let of_set = || vec![owned("StatefulSet", "web", "set")];
    let check = |fields: Value, pods: &str, claims: Vec<Value>, want: &str| {
        check_view(&view(fields, pods, &claims), want);
    };
    check(policy("Retain", "Retain", 1), "0", kept(), "");
    check(policy("Delete", "Retain", 1), "0", kept(), "o(1)");
    check(policy("Delete", "Retain", 1), "0", of_set(), "");
    check(policy("Retain", "Retain", 1), "0", of_set(), "o(1)");
    check(policy("Retain", "Delete", 0), "0", kept(), "o(1) -0");
    check(
        policy("Retain", "Delete", 0),
        "0",
        vec![owned("Pod", "web-0", "pod-0")],
        "-0",
    );
    // Of the pod that was: it has to be gone first.
    check(
        policy("Retain", "Delete", 1),
        "",
        vec![owned("Pod", "web-0", "was")],
        "",
    );
    let foreign = || vec![owned("Other", "other", "other")];
    check(policy("Delete", "Retain", 1), "0", foreign(), "");
}

#[test]
fn the_status_counts_and_tells_when_a_rollout_is_complete() {
    let counts = |pods: &str| {
        let status = status(&view(json!({}), pods, &kept()));
        let count = |count: Option<i32>| count.unwrap_or(0);
        let is_done = status.current_revision == status.update_revision;
        (
            [
                status.replicas,
                count(status.ready_replicas),
                count(status.updated_replicas),
            ],
            count(status.current_replicas),
            is_done,
        )
    };
    assert_eq!(counts("0~ 1~ 2?"), ([3, 2, 1], 2, false));
    assert_eq!(counts("0 1 2"), ([3, 3, 3], 3, true));
    assert_eq!(counts("0 1"), ([2, 2, 2], 0, false));
}
