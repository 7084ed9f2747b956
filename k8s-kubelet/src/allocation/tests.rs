use serde_json::{Value, json};

use super::*;
use crate::eviction::Pressure;

fn pod(name: &str, spec: Value) -> Arc<Pod> {
    let mut pod = json!({"metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec});
    pod["spec"]["nodeName"] = "n".into();
    Arc::new(serde_json::from_value(pod).unwrap())
}

/// A pod that requests and is limited to so much of a core.
fn sized(name: &str, cpu: &str) -> Arc<Pod> {
    let amounts = json!({"cpu": cpu, "memory": "1Mi"});
    let resources = json!({"requests": amounts, "limits": amounts});
    pod(
        name,
        json!({"containers": [{"name": "c", "resources": resources}]}),
    )
}

fn node() -> Node {
    serde_json::from_value(json!({
        "metadata": {"name": "n", "labels": {"zone": "a"}},
        "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]},
        "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "3", "example.com/gpu": "1"}},
    }))
    .unwrap()
}

fn tolerant(mut spec: Value) -> Value {
    spec["tolerations"] = json!([{"key": "k", "operator": "Exists"}]);
    spec
}

/// Whether the node takes a pod beside one with host port 80 and half a core.
#[track_caller]
fn admits(spec: Value, expected: &str) {
    let other = tolerant(json!({"containers": [{
        "name": "c",
        "ports": [{"containerPort": 1, "hostPort": 80}],
        "resources": {"requests": {"cpu": "500m", "example.com/gpu": "1"}},
    }]}));
    let (node, pressures) = (node(), Pressures::default());
    let ground = Ground {
        node: &node,
        pressures: &pressures,
    };
    let found = admit::admit(&pod("p", spec), &[pod("other", other)], &ground, false);
    let found = found.map_or_else(
        |refusal| format!("{}: {}", refusal.reason, refusal.message),
        |()| "yes".to_owned(),
    );
    assert_eq!(found, expected);
}

fn requesting(resource: &str, amount: &str) -> Value {
    tolerant(json!({"containers": [{
        "name": "c", "resources": {"requests": {resource: amount}},
    }]}))
}

#[test]
fn a_pod_is_taken_if_the_rest_of_the_node_suffices() {
    admits(requesting("cpu", "500m"), "yes");
    admits(
        requesting("cpu", "501m"),
        "OutOfcpu: Node didn't have enough resource: cpu, requested: 501, used: 500, capacity: 1000",
    );
    admits(
        requesting("memory", "2Gi"),
        "OutOfmemory: Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    );
    admits(
        requesting("example.com/gpu", "1"),
        "OutOfexample.com/gpu: Node didn't have enough resource: example.com/gpu, requested: 1, used: 1, capacity: 1",
    );
    admits(requesting("example.com/unheard-of", "7"), "yes");
}

#[test]
fn a_pod_is_taken_if_labels_ports_and_taints_allow() {
    let with = |field: &str, value: Value| {
        let mut spec = tolerant(json!({"containers": [{"name": "c"}]}));
        spec[field] = value;
        spec
    };
    admits(with("nodeSelector", json!({"zone": "a"})), "yes");
    admits(
        with("nodeSelector", json!({"zone": "b"})),
        "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    );
    admits(
        with("os", json!({"name": "windows"})),
        "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    );
    admits(
        with("tolerations", json!([])),
        "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    );
    let ports = json!([{"name": "c", "ports": [{"containerPort": 2, "hostPort": 80}]}]);
    admits(
        with("containers", ports),
        "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    );
}

#[test]
fn a_node_that_is_full_takes_no_more_pods() {
    let allocations = Allocations::new(node(), None);
    let small = |name: &str| pod(name, tolerant(json!({"containers": [{"name": "c"}]})));
    for name in ["a", "b", "c"] {
        allocations.admit(&small(name)).unwrap();
    }
    let refusal = allocations.admit(&small("d")).unwrap_err();
    assert_eq!(refusal.reason, "OutOfpods");
    allocations.release("b");
    allocations.admit(&small("d")).unwrap();
}

#[test]
fn pressure_keeps_pods_out_unless_they_are_critical() {
    let refused = |spec: Value, short: &[Pressure]| {
        let pressures = short.iter().copied().collect();
        admit::pressure(&pod("p", spec), &pressures)
            .err()
            .map(|refusal| refusal.message)
    };
    let careless = || json!({"containers": [{"name": "c"}]});
    let modest = || requesting("cpu", "1m");
    let memory = [Pressure::Memory];
    assert_eq!(refused(modest(), &memory), None);
    assert_eq!(
        refused(careless(), &memory).unwrap(),
        "The node had condition: [MemoryPressure]. "
    );
    let mut hardened = careless();
    hardened["tolerations"] =
        json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]);
    assert_eq!(refused(hardened, &memory), None);
    assert_eq!(
        refused(modest(), &[Pressure::Memory, Pressure::Disk]).unwrap(),
        "The node had condition: [MemoryPressure DiskPressure]. "
    );
    let mut critical = careless();
    critical["priority"] = 2_000_000_000.into();
    assert_eq!(refused(critical, &[Pressure::Disk]), None);
}

/// Promises of a node without taints, some pods in it.
fn holding(pods: &[Arc<Pod>]) -> Allocations {
    let mut node = node();
    node.spec = None;
    let allocations = Allocations::new(node, None);
    for pod in pods {
        allocations.admit(pod).unwrap();
    }
    allocations
}

fn now() -> Timestamp {
    Timestamp::from_second(1000).unwrap()
}

fn cpu_of(allocations: &Allocations, pod: &Arc<Pod>) -> String {
    let claims = claims(&allocations.of(pod).pod);
    claims["c"].requests.as_ref().unwrap()["cpu"].0.clone()
}

#[test]
fn a_resize_that_does_not_fit_waits_and_the_pod_keeps_what_it_has() {
    let allocations = holding(&[sized("a", "500m"), sized("b", "400m")]);
    let wish = sized("a", "700m");
    assert!(allocations.see(&wish));
    let outcomes = allocations.retry(now());
    let [(uid, Outcome::Pending(pending))] = outcomes.as_slice() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        (uid.as_str(), pending.reason),
        ("a", PendingReason::Deferred)
    );
    assert_eq!(cpu_of(&allocations, &wish), "500m");
    assert_eq!(allocations.of(&wish).pending.as_ref(), Some(pending));
    assert_eq!(allocations.retry(now()), [], "nothing has changed");

    allocations.see(&sized("b", "300m"));
    let promised = |uid: &str| (uid.to_owned(), Outcome::Promised);
    assert_eq!(allocations.retry(now()), [promised("b"), promised("a")]);
    assert_eq!(cpu_of(&allocations, &wish), "700m");
    assert_eq!(allocations.of(&wish).generation, Some(1));
}

#[test]
fn a_wish_may_be_withdrawn() {
    let allocations = holding(&[sized("a", "500m")]);
    allocations.see(&sized("a", "2"));
    let outcomes = allocations.retry(now());
    let [(_, Outcome::Pending(pending))] = outcomes.as_slice() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        pending.message,
        "Node didn't have enough capacity: cpu, requested: 2000, capacity: 1000"
    );
    allocations.see(&sized("a", "500m"));
    assert_eq!(
        allocations.retry(now()),
        [("a".to_owned(), Outcome::Withdrawn)]
    );
}

#[test]
fn the_more_important_pod_is_resized_first() {
    let with_priority = |name: &str, cpu: &str, priority: i32| {
        let mut pod = Pod::clone(&sized(name, cpu));
        pod.spec.as_mut().unwrap().priority = Some(priority);
        Arc::new(pod)
    };
    let allocations = holding(&[with_priority("a", "200m", 1), with_priority("b", "200m", 2)]);
    allocations.see(&with_priority("a", "700m", 1));
    allocations.see(&with_priority("b", "700m", 2));
    let order: Vec<_> = allocations
        .retry(now())
        .into_iter()
        .map(|(uid, outcome)| (uid, outcome == Outcome::Promised))
        .collect();
    assert_eq!(order, [("b".to_owned(), true), ("a".to_owned(), false)]);
}

#[test]
fn a_promise_outlives_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node();
    node.spec = None;
    let new = || Allocations::new(node.clone(), Some(dir.path().to_owned()));
    new().admit(&sized("a", "500m")).unwrap();
    // While nobody was there, somebody wished for more than the node has.
    let wish = sized("a", "2");
    let allocations = new();
    allocations.admit(&wish).unwrap();
    assert_eq!(cpu_of(&allocations, &wish), "500m");
    assert_eq!(allocations.retry(now()).len(), 1);
}
