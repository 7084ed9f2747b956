use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(error: ApiError, expected: Expect) {
    let status = String::from_utf8(Status::from(&error).to_bytes()).unwrap();
    let rest = status
        .strip_prefix(r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#)
        .expect("every refusal opens alike");
    expected.assert_eq(rest);
}

fn pods() -> GroupResource {
    GroupResource::new("", "pods")
}

#[test]
fn errors_about_an_object_name_it() {
    check(
        ApiError::not_found(pods(), "x"),
        expect![[
            r#""message":"pods \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"pods"},"code":404}"#
        ]],
    );
    check(
        ApiError::already_exists(GroupResource::new("apps", "deployments"), "web"),
        expect![[
            r#""message":"deployments.apps \"web\" already exists","reason":"AlreadyExists","details":{"name":"web","group":"apps","kind":"deployments"},"code":409}"#
        ]],
    );
    check(
        ApiError::modified(pods(), "x"),
        expect![[
            r#""message":"Operation cannot be fulfilled on pods \"x\": the object has been modified; please apply your changes to the latest version and try again","reason":"Conflict","details":{"name":"x","kind":"pods"},"code":409}"#
        ]],
    );
}

#[test]
fn denials_say_who_and_what() {
    let detail =
        r#"User "jane" cannot list resource "pods" in API group "" in the namespace "default""#;
    let forbidden = |name: &str| ApiError::Forbidden {
        resource: pods(),
        name: name.into(),
        detail: detail.into(),
    };
    check(
        forbidden(""),
        expect![[
            r#""message":"pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"","reason":"Forbidden","details":{"kind":"pods"},"code":403}"#
        ]],
    );
    check(
        forbidden("x"),
        expect![[
            r#""message":"pods \"x\" is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"","reason":"Forbidden","details":{"name":"x","kind":"pods"},"code":403}"#
        ]],
    );
    check(
        ApiError::ForbiddenPath(r#"User "jane" cannot get path "/metrics""#.into()),
        expect![[
            r#""message":"forbidden: User \"jane\" cannot get path \"/metrics\"","reason":"Forbidden","details":{},"code":403}"#
        ]],
    );
    check(
        ApiError::Unauthorized,
        expect![[r#""message":"Unauthorized","reason":"Unauthorized","code":401}"#]],
    );
}

#[test]
fn failed_validation_lists_a_cause_per_field() {
    let invalid = |causes| ApiError::Invalid {
        kind: GroupKind::new("apps", "Deployment"),
        name: "web".into(),
        causes,
    };
    let selector = Cause::new("FieldValueRequired", "Required value", "spec.selector");
    let replicas = Cause::new(
        "FieldValueInvalid",
        "Invalid value: -1: must be greater than or equal to 0",
        "spec.replicas",
    );
    check(
        invalid(vec![selector.clone()]),
        expect![[
            r#""message":"Deployment.apps \"web\" is invalid: spec.selector: Required value","reason":"Invalid","details":{"name":"web","group":"apps","kind":"Deployment","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.selector"}]},"code":422}"#
        ]],
    );
    check(
        invalid(vec![selector, replicas]),
        expect![[
            r#""message":"Deployment.apps \"web\" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: must be greater than or equal to 0]","reason":"Invalid","details":{"name":"web","group":"apps","kind":"Deployment","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.selector"},{"reason":"FieldValueInvalid","message":"Invalid value: -1: must be greater than or equal to 0","field":"spec.replicas"}]},"code":422}"#
        ]],
    );
}

#[test]
fn apply_conflicts_are_grouped_by_manager() {
    let conflict = |manager: &str, field: &str| {
        Cause::new(
            "FieldManagerConflict",
            format!("conflict with {manager}"),
            field,
        )
    };
    let replicas = conflict(r#""kubectl" using apps/v1"#, ".spec.replicas");
    let paused = conflict(r#""kubectl" using apps/v1"#, ".spec.paused");
    let image = conflict(r#""ci" using apps/v1"#, ".spec.template");
    check(
        ApiError::ApplyConflict {
            causes: vec![replicas.clone()],
        },
        expect![[
            r#""message":"Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.replicas"}]},"code":409}"#
        ]],
    );
    check(
        ApiError::ApplyConflict {
            causes: vec![replicas, paused, image],
        },
        expect![[
            r#""message":"Apply failed with 3 conflicts: conflicts with \"ci\" using apps/v1:\n- .spec.template\nconflicts with \"kubectl\" using apps/v1:\n- .spec.replicas\n- .spec.paused","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.replicas"},{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.paused"},{"reason":"FieldManagerConflict","message":"conflict with \"ci\" using apps/v1","field":".spec.template"}]},"code":409}"#
        ]],
    );
}

#[test]
fn requests_that_cannot_be_served_say_why() {
    check(
        ApiError::BadRequest("limit must not be negative".into()),
        expect![[r#""message":"limit must not be negative","reason":"BadRequest","code":400}"#]],
    );
    check(
        ApiError::NoSuchResource,
        expect![[
            r#""message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}"#
        ]],
    );
    check(
        ApiError::MethodNotAllowed,
        expect![[
            r#""message":"the server does not allow this method on the requested resource","reason":"MethodNotAllowed","details":{},"code":405}"#
        ]],
    );
    check(
        ApiError::NotAcceptable {
            offered: vec!["application/json"],
        },
        expect![[
            r#""message":"only the following media types are accepted: application/json","reason":"NotAcceptable","code":406}"#
        ]],
    );
    check(
        ApiError::UnsupportedMediaType {
            accepted: vec!["application/json", "application/yaml"],
        },
        expect![[
            r#""message":"the body of the request was in an unknown format - accepted media types include: application/json, application/yaml","reason":"UnsupportedMediaType","code":415}"#
        ]],
    );
    check(
        ApiError::TooLarge(format!("limit is {}", crate::body::MAX_REQUEST_BYTES).into()),
        expect![[
            r#""message":"Request entity too large: limit is 3145728","reason":"RequestEntityTooLarge","code":413}"#
        ]],
    );
    check(
        ApiError::Expired("too old resource version: 1 (5)".into()),
        expect![[r#""message":"too old resource version: 1 (5)","reason":"Expired","code":410}"#]],
    );
    let error = ApiError::FutureRevision {
        requested: 7,
        current: 5,
    };
    check(
        error,
        expect![[
            r#""message":"Timeout: Too large resource version: 7, current: 5","reason":"Timeout","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}"#
        ]],
    );
}

#[test]
fn trouble_of_the_servers_own_says_when_to_come_back() {
    check(
        ApiError::TooManyRequests {
            message: "slow down".into(),
            retry_after: Duration::from_millis(200),
        },
        expect![[
            r#""message":"slow down","reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429}"#
        ]],
    );
    check(
        ApiError::ServiceUnavailable("shutting down".into()),
        expect![[r#""message":"shutting down","reason":"ServiceUnavailable","code":503}"#]],
    );
    check(
        ApiError::Timeout("request did not complete within the allotted timeout".into()),
        expect![[
            r#""message":"Timeout: request did not complete within the allotted timeout","reason":"Timeout","details":{},"code":504}"#
        ]],
    );
}

#[test]
fn budgets_refuse_evictions_in_words_that_clients_know() {
    let refused = |seconds| ApiError::DisruptionBudget {
        detail: "The disruption budget b needs 2 healthy pods and has 2 currently".into(),
        retry_after: Duration::from_secs(seconds),
    };
    check(
        refused(0),
        expect![[
            r#""message":"Cannot evict pod as it would violate the pod's disruption budget.","reason":"TooManyRequests","details":{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget b needs 2 healthy pods and has 2 currently"}]},"code":429}"#
        ]],
    );
    let waiting = refused(10).into_response();
    assert_eq!(waiting.headers()[header::RETRY_AFTER], "10");
    let left_to_the_client = refused(0).into_response();
    assert!(
        !left_to_the_client
            .headers()
            .contains_key(header::RETRY_AFTER)
    );
    check(
        ApiError::ManyBudgets,
        expect![[
            r#""message":"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.","code":500}"#
        ]],
    );
}

#[test]
fn internal_details_stay_in_the_log() {
    check(
        ApiError::Internal("/var/lib/secret is unreadable".into()),
        expect![[r#""message":"Internal error occurred","reason":"InternalError","code":500}"#]],
    );
}

#[test]
fn a_full_range_says_so() {
    check(
        ApiError::Exhausted("failed to allocate a nodePort: range is full".into()),
        expect![[
            r#""message":"Internal error occurred: failed to allocate a nodePort: range is full","reason":"InternalError","details":{"causes":[{"message":"failed to allocate a nodePort: range is full"}]},"code":500}"#
        ]],
    );
}

#[test]
fn a_success_tells_what_it_was_about() {
    let details = Details {
        name: "x".into(),
        kind: "pods".into(),
        uid: "u-1".into(),
        ..Details::default()
    };
    let status = String::from_utf8(Status::success(details).to_bytes()).unwrap();
    expect![[r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","details":{"name":"x","kind":"pods","uid":"u-1"}}"#]].assert_eq(&status);
}

#[test]
fn waiting_times_are_sent_as_a_header_too() {
    let error = ApiError::TooManyRequests {
        message: "slow down".into(),
        retry_after: Duration::from_secs(1),
    };
    let response = error.into_response();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
}
