//! Tables of pods and what is wrong with them.

use serde_json::{Value, json};

use super::{Standard, Subject, Violation, evaluate, told};

/// What a pod with this spec violates.
pub(super) fn found(standard: &str, spec: Value) -> Vec<Violation> {
    let standard: Standard = standard.parse().expect("a standard");
    let pod = json!({"spec": spec});
    evaluate(standard, &Subject::new(pod.as_object().expect("an object")))
}

/// Runs one check over a pod: its annotations and its spec.
#[track_caller]
pub(super) fn check_pod(run: fn(&Subject) -> Option<Violation>, pod: Value, want: &str) {
    let subject = Subject::new(pod.as_object().expect("an object"));
    let violations: Vec<Violation> = run(&subject).into_iter().collect();
    assert_eq!(told(&violations), want);
}

/// Runs one check over a pod with this spec.
#[track_caller]
pub(super) fn check(run: fn(&Subject) -> Option<Violation>, spec: Value, want: &str) {
    check_pod(run, json!({"spec": spec}), want);
}

/// A spec with one container for each of these security contexts, named `a` and on.
pub(super) fn contexts(contexts: &[Value]) -> Value {
    let named = ('a'..).zip(contexts);
    let containers: Vec<Value> = named
        .map(|(name, context)| json!({"name": name.to_string(), "securityContext": context}))
        .collect();
    json!({"containers": containers})
}

/// The same, with a security context of the pod.
pub(super) fn pod_and(pod: Value, all: &[Value]) -> Value {
    let mut spec = contexts(all);
    spec["securityContext"] = pod;
    spec
}
