use super::*;
use crate::testing::{node, pod};

fn names(snapshot: &Snapshot) -> Vec<String> {
    let pods = |node: &NodeInfo| {
        node.pods
            .iter()
            .map(|p| p.key.name.clone())
            .collect::<Vec<_>>()
    };
    let nodes = snapshot.nodes().iter();
    nodes
        .map(|node| format!("{}: {}", node.name(), pods(node).join(" ")))
        .collect()
}

#[test]
fn an_assumed_pod_counts_until_it_is_forgotten() {
    let mut cache = Cache::default();
    cache.set_node(Arc::new(node("n").build()));
    let web = Arc::new(pod("web").requests(&[("cpu", "1")]).info());
    cache.assume(web.clone(), "n");
    assert_eq!(
        cache.snapshot().node("n").unwrap().requested.milli_cpu,
        1000
    );
    // The API still shows it without a node.
    cache.set_pod(web.pod.clone());
    assert_eq!(names(&cache.snapshot()), ["n: web"]);
    cache.forget(&web.key);
    assert_eq!(names(&cache.snapshot()), ["n: "]);
    assert_eq!(
        cache.snapshot().node("n").unwrap().requested,
        Default::default()
    );
}

#[test]
fn a_confirmed_pod_is_not_forgotten() {
    let mut cache = Cache::default();
    cache.set_node(Arc::new(node("n").build()));
    let web = Arc::new(pod("web").info());
    cache.assume(web.clone(), "n");
    cache.set_pod(Arc::new(pod("web").on("n").build()));
    cache.forget(&web.key);
    assert_eq!(names(&cache.snapshot()), ["n: web"]);
}

#[test]
fn a_snapshot_never_changes_and_shares_what_did_not() {
    let mut cache = Cache::default();
    for name in ["a", "b"] {
        cache.set_node(Arc::new(node(name).build()));
    }
    let before = cache.snapshot();
    assert!(Arc::ptr_eq(&before, &cache.snapshot()));
    cache.assume(Arc::new(pod("web").info()), "b");
    let after = cache.snapshot();
    assert_eq!(names(&before), ["a: ", "b: "]);
    assert_eq!(names(&after), ["a: ", "b: web"]);
    assert!(Arc::ptr_eq(&before.nodes()[0], &after.nodes()[0]));
    assert!(after.nodes()[1].generation > before.nodes()[1].generation);
}

#[test]
fn pods_of_an_unknown_node_count_once_it_appears() {
    let mut cache = Cache::default();
    cache.set_pod(Arc::new(pod("early").on("n").build()));
    assert!(cache.snapshot().nodes().is_empty());
    cache.set_node(Arc::new(node("n").build()));
    assert_eq!(names(&cache.snapshot()), ["n: early"]);
    cache.remove_node("n");
    assert!(cache.snapshot().nodes().is_empty());
    cache.set_node(Arc::new(node("n").build()));
    assert_eq!(names(&cache.snapshot()), ["n: early"]);
}

#[test]
fn ended_pods_take_no_room() {
    let mut cache = Cache::default();
    cache.set_node(Arc::new(node("n").build()));
    let mut web = pod("web").on("n").build();
    cache.set_pod(Arc::new(web.clone()));
    web.status.get_or_insert_default().phase = Some("Succeeded".to_owned());
    cache.set_pod(Arc::new(web));
    assert_eq!(names(&cache.snapshot()), ["n: "]);
}

#[test]
fn images_are_counted_over_nodes() {
    let mut cache = Cache::default();
    for name in ["a", "b"] {
        cache.set_node(Arc::new(node(name).image("web:1", 5).build()));
    }
    assert_eq!(cache.snapshot().nodes_with_image("web:1"), 2);
    cache.set_node(Arc::new(node("a").build()));
    assert_eq!(cache.snapshot().nodes_with_image("web:1"), 1);
    cache.remove_node("b");
    assert_eq!(cache.snapshot().nodes_with_image("web:1"), 0);
}
