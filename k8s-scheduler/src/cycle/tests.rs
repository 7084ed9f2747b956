use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::testing::{node, pod};

fn options() -> Options {
    Options::default()
}

#[track_caller]
fn check(pod: &PodInfo, snapshot: &Snapshot, want: Expect) {
    let decision = schedule(&Profile::default(), pod, snapshot, &options());
    want.assert_eq(&match decision.outcome {
        Outcome::Placed { node, .. } => node,
        Outcome::Unschedulable(rejections) => rejections.to_string(),
        Outcome::Failed(message) => message,
    });
}

#[test]
fn reasons_are_counted_and_sorted_as_kubernetes_does() {
    let nodes = [
        node("n1").taint("node-role.kubernetes.io/control-plane", "", "NoSchedule"),
        node("n2").room("1", "1Gi"),
        node("n3").room("1", "1Gi"),
    ];
    let other = pod("old").on("n2").requests(&[("cpu", "500m")]).build();
    let snapshot = Snapshot::of(nodes.map(|node| node.build()), [other]);
    check(
        &pod("big").requests(&[("cpu", "2")]).info(),
        &snapshot,
        expect![
            "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
        ],
    );
}

#[test]
fn a_full_node_has_no_victims_of_the_same_priority() {
    let other = || pod("old").on("n1").requests(&[("cpu", "3")]).build();
    let snapshot = Snapshot::of([node("n1").build()], [other()]);
    let wants = |priority| {
        pod("new")
            .requests(&[("cpu", "2")])
            .priority(priority)
            .info()
    };
    check(
        &wants(0),
        &snapshot,
        expect![
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
        ],
    );
    check(
        &wants(100),
        &snapshot,
        expect!["0/1 nodes are available: 1 Insufficient cpu."],
    );
}

#[test]
fn without_nodes_there_is_nothing_to_count() {
    check(
        &pod("a").info(),
        &Snapshot::default(),
        expect!["no nodes available to schedule pods"],
    );
}

#[test]
fn nodes_that_affinity_leaves_out_are_counted_together() {
    let fields = json!([{"key": "metadata.name", "operator": "In", "values": ["gone"]}]);
    let terms = json!({"nodeSelectorTerms": [{"matchFields": fields}]});
    let affinity =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
    let snapshot = Snapshot::of([node("a").build(), node("b").build()], []);
    check(
        &pod("daemon").spec(json!({"affinity": affinity})).info(),
        &snapshot,
        expect![
            "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        ],
    );
}

#[test]
fn the_emptiest_node_wins() {
    let busy = pod("old")
        .on("a")
        .requests(&[("cpu", "2"), ("memory", "4Gi")])
        .build();
    let snapshot = Snapshot::of([node("a").build(), node("b").build()], [busy]);
    check(&pod("new").info(), &snapshot, expect!["b"]);
}

#[test]
fn the_seed_decides_between_equals_and_spreads_them() {
    let snapshot = Snapshot::of(["a", "b", "c"].map(|name| node(name).build()), []);
    let chosen = |seed| {
        let options = Options { seed, ..options() };
        match schedule(&Profile::default(), &pod("p").info(), &snapshot, &options).outcome {
            Outcome::Placed { node, .. } => node,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(chosen(7), chosen(7));
    let all: BTreeSet<_> = (0..50).map(chosen).collect();
    assert_eq!(all.len(), 3);
}

#[test]
fn an_explanation_holds_every_verdict_and_score() {
    let nodes = [
        node("a")
            .spec(json!({"unschedulable": true}))
            .room("1", "1Gi"),
        node("b"),
    ];
    let snapshot = Snapshot::of(nodes.map(|node| node.build()), []);
    let options = Options {
        explain: true,
        ..options()
    };
    let pod = pod("p").requests(&[("cpu", "2"), ("memory", "4Gi")]).info();
    let decision = schedule(&Profile::default(), &pod, &snapshot, &options);
    expect![[r#"
        a: NodeUnschedulable: node(s) were unschedulable; NodeResourcesFit: Insufficient cpu, Insufficient memory;
        b: 450 = 3*100 TaintToleration + 1*50 NodeResourcesFit + 1*100 NodeResourcesBalancedAllocation + 1*0 ImageLocality
    "#]]
    .assert_eq(&decision.explanation.unwrap().to_string());
}

#[test]
fn large_clusters_are_searched_in_turns() {
    assert_eq!(candidates_wanted(99, None), 99);
    assert_eq!(candidates_wanted(1000, None), 420);
    assert_eq!(candidates_wanted(10_000, None), 500);
    assert_eq!(candidates_wanted(1000, Some(1)), 100);
    let nodes = (0..300).map(|i| node(&format!("n{i:03}")).build());
    let snapshot = Snapshot::of(nodes, []);
    let first = schedule(&Profile::default(), &pod("a").info(), &snapshot, &options());
    assert_eq!(first.next_start, 144);
    let next = Options {
        start: first.next_start,
        ..options()
    };
    let second = schedule(&Profile::default(), &pod("b").info(), &snapshot, &next);
    assert_eq!(second.next_start, 288);
}
