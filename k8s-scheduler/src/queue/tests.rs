use super::*;
use crate::{
    plugins::{NodeResourcesFit, PrioritySort, SchedulingGates, TaintToleration},
    testing::{node, pod},
};
use serde_json::json;

fn queue() -> Queue {
    Queue::new(
        Some(Arc::new(PrioritySort)),
        vec![Arc::new(SchedulingGates)],
        vec![Arc::new(NodeResourcesFit), Arc::new(TaintToleration)],
    )
}

fn pop(queue: &mut Queue, now: Instant) -> Option<String> {
    queue.pop(now).map(|pod| pod.info.key.name.clone())
}

fn key(name: &str) -> Key {
    Key::new("default", name)
}

fn rejected(plugin: &'static str) -> Return {
    Return::Rejected(BTreeSet::from([plugin]))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test]
async fn priority_comes_before_arrival() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("first").info(), now);
    queue.set(pod("second").info(), now);
    queue.set(pod("urgent").priority(10).info(), now);
    assert_eq!(pop(&mut queue, now).as_deref(), Some("urgent"));
    assert_eq!(pop(&mut queue, now).as_deref(), Some("first"));
    assert_eq!(pop(&mut queue, now).as_deref(), Some("second"));
    assert_eq!(pop(&mut queue, now), None);
}

#[tokio::test]
async fn a_failed_pod_backs_off_longer_each_time() {
    let (mut queue, mut now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    for wait in [1, 2, 4, 8, 10, 10] {
        assert!(pop(&mut queue, now).is_some());
        queue.give_back(&key("a"), Return::Failed, now);
        assert_eq!(queue.next_due(), Some(now + seconds(wait)));
        assert_eq!(pop(&mut queue, now), None);
        now += seconds(wait);
    }
}

#[tokio::test]
async fn only_an_event_of_the_rejecting_plugin_wakes_a_pod() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    pop(&mut queue, now);
    queue.give_back(&key("a"), rejected("TaintToleration"), now);
    let later = now + seconds(20);
    let gone = Change::of_pod(ClusterEvent::AssignedPodDeleted, &pod("x").info().pod);
    queue.moved(&gone, later);
    assert_eq!(pop(&mut queue, later), None);
    let tainted = node("n").taint("k", "v", "NoSchedule").build();
    queue.moved(&Change::node_added(&Arc::new(tainted)), later);
    assert_eq!(pop(&mut queue, later), None);
    queue.moved(&Change::node_added(&Arc::new(node("n").build())), later);
    assert_eq!(pop(&mut queue, later).as_deref(), Some("a"));
}

#[tokio::test]
async fn an_event_during_the_attempt_is_not_missed() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    pop(&mut queue, now);
    let gone = Change::of_pod(ClusterEvent::AssignedPodDeleted, &pod("x").info().pod);
    queue.moved(&gone, now);
    queue.give_back(&key("a"), rejected("NodeResourcesFit"), now);
    assert_eq!(pop(&mut queue, now + seconds(1)).as_deref(), Some("a"));
}

#[tokio::test]
async fn a_forgotten_pod_is_tried_after_five_minutes() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    pop(&mut queue, now);
    queue.give_back(&key("a"), rejected("NodeResourcesFit"), now);
    assert_eq!(pop(&mut queue, now + seconds(299)), None);
    assert_eq!(queue.next_due(), Some(now + MAX_UNSCHEDULABLE));
    assert!(pop(&mut queue, now + MAX_UNSCHEDULABLE).is_some());
}

#[tokio::test]
async fn a_gated_pod_enters_when_its_gates_are_lifted() {
    let (mut queue, now) = (queue(), Instant::now());
    let gated = pod("a").spec(json!({"schedulingGates": [{"name": "quota"}]}));
    queue.set(gated.info(), now);
    assert_eq!(pop(&mut queue, now + MAX_UNSCHEDULABLE), None);
    queue.set(pod("a").info(), now);
    assert_eq!(pop(&mut queue, now).as_deref(), Some("a"));
}

#[tokio::test]
async fn a_change_of_the_pod_itself_gives_it_a_new_chance_but_its_status_does_not() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    pop(&mut queue, now);
    queue.give_back(&key("a"), rejected("NodeResourcesFit"), now);
    let mut status = pod("a").build();
    status.status.get_or_insert_default().message = Some("unschedulable".to_owned());
    queue.set(status.into(), now);
    assert_eq!(pop(&mut queue, now + seconds(20)), None);
    queue.set(pod("a").priority(1).info(), now);
    assert_eq!(pop(&mut queue, now + seconds(20)).as_deref(), Some("a"));
}

#[tokio::test]
async fn what_is_gone_does_not_come_back() {
    let (mut queue, now) = (queue(), Instant::now());
    queue.set(pod("a").info(), now);
    pop(&mut queue, now);
    queue.remove(&key("a"));
    queue.give_back(&key("a"), Return::Failed, now);
    assert!(queue.is_empty());
}
