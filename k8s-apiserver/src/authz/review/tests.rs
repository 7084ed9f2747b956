use serde_json::json;

use super::*;
use crate::authz::rbac::{MemoryRules, Rbac};

#[track_caller]
fn answer(resource: &str, namespace: &str, asker: &User, review: Value) -> Result<Value, ApiError> {
    let rules = Arc::new(MemoryRules::bootstrap());
    let reviewer = Reviewer {
        authorizer: Arc::new(Rbac::new(rules.clone())),
        rules,
    };
    let Value::Object(review) = review else {
        panic!("a review is an object")
    };
    let answer = futures::executor::block_on(reviewer.answer(resource, namespace, asker, review));
    answer
        .expect("a review")
        .map(|mut answered| answered.remove("status").expect("a status"))
}

#[test]
fn can_i_is_answered_for_the_asker() {
    let scheduler = User::new("system:kube-scheduler");
    let may = |verb: &str, resource: &str| {
        let spec = json!({"resourceAttributes": {"verb": verb, "resource": resource}});
        answer(
            "selfsubjectaccessreviews",
            "",
            &scheduler,
            json!({"spec": spec}),
        )
        .unwrap()
    };
    assert_eq!(
        may("list", "pods"),
        json!({
            "allowed": true,
            "reason": "RBAC: allowed by ClusterRoleBinding \"system:kube-scheduler\" of ClusterRole \
                       \"system:kube-scheduler\" to User \"system:kube-scheduler\"",
        })
    );
    assert_eq!(may("create", "pods"), json!({"allowed": false}));
}

#[test]
fn reviews_of_others_name_them() {
    let path = json!({"verb": "get", "path": "/version"});
    let spec = json!({"groups": ["system:unauthenticated"], "nonResourceAttributes": path});
    let status = answer(
        "subjectaccessreviews",
        "",
        &User::new("jane"),
        json!({"spec": spec}),
    )
    .unwrap();
    assert_eq!(status["allowed"], true);
    let spec = json!({"nonResourceAttributes": path});
    let nobody = answer(
        "subjectaccessreviews",
        "",
        &User::new("jane"),
        json!({"spec": spec}),
    );
    assert!(
        nobody
            .unwrap_err()
            .to_string()
            .contains("at least one of user or group must be specified")
    );
}

#[test]
fn a_review_asks_one_thing() {
    let error = answer(
        "selfsubjectaccessreviews",
        "",
        &User::new("jane"),
        json!({}),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("exactly one of nonResourceAttributes or resourceAttributes"),
        "{error}"
    );
}

#[test]
fn a_local_review_stays_in_its_namespace() {
    let spec = json!({"user": "bob", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "b"}});
    let error = answer(
        "localsubjectaccessreviews",
        "a",
        &User::new("jane"),
        json!({"spec": spec}),
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("must match metadata.namespace"),
        "{error}"
    );
}

#[test]
fn a_node_is_told_that_its_rules_are_not_all() {
    let review = json!({"spec": {"namespace": "default"}});
    let status = answer("selfsubjectrulesreviews", "", &User::node("n1"), review).unwrap();
    assert_eq!(status["incomplete"], true);
    assert_eq!(
        status["evaluationError"],
        "node authorizer does not support user rule resolution"
    );
}

#[test]
fn rules_are_listed_by_kind() {
    let user = User::new("jane").in_group("system:authenticated");
    let review = json!({"spec": {"namespace": "default"}});
    let status = answer("selfsubjectrulesreviews", "", &user, review).unwrap();
    assert_eq!(
        status["resourceRules"][0]["resources"][0],
        "selfsubjectaccessreviews"
    );
    assert_eq!(status["incomplete"], false);
    assert!(status["nonResourceRules"].as_array().unwrap().len() >= 2);
}

#[test]
fn whoami_tells_name_and_groups() {
    let user = User::new("jane").in_group("devs");
    let status = answer("selfsubjectreviews", "", &user, json!({})).unwrap();
    assert_eq!(
        status,
        json!({"userInfo": {"username": "jane", "groups": ["devs"]}})
    );
}
