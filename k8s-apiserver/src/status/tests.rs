use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(error: ApiError, expected: Expect) {
    expected.assert_eq(&String::from_utf8(Status::from(&error).to_bytes()).unwrap());
}

fn pods() -> GroupResource {
    GroupResource::new("", "pods")
}

#[test]
fn errors_about_an_object_name_it() {
    check(ApiError::not_found(pods(), "x"), expect![[""]]);
    check(
        ApiError::already_exists(GroupResource::new("apps", "deployments"), "web"),
        expect![[""]],
    );
    check(ApiError::modified(pods(), "x"), expect![[""]]);
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
    check(forbidden(""), expect![[""]]);
    check(forbidden("x"), expect![[""]]);
    check(
        ApiError::ForbiddenPath(r#"User "jane" cannot get path "/metrics""#.into()),
        expect![[""]],
    );
    check(ApiError::Unauthorized, expect![[""]]);
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
    check(invalid(vec![selector.clone()]), expect![[""]]);
    check(invalid(vec![selector, replicas]), expect![[""]]);
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
        expect![[""]],
    );
    check(
        ApiError::ApplyConflict {
            causes: vec![replicas, paused, image],
        },
        expect![[""]],
    );
}

#[test]
fn requests_that_cannot_be_served_say_why() {
    check(
        ApiError::BadRequest("limit must not be negative".into()),
        expect![[""]],
    );
    check(ApiError::NoSuchResource, expect![[""]]);
    check(ApiError::MethodNotAllowed, expect![[""]]);
    check(
        ApiError::NotAcceptable {
            offered: vec!["application/json"],
        },
        expect![[""]],
    );
    check(
        ApiError::UnsupportedMediaType {
            accepted: vec!["application/json", "application/yaml"],
        },
        expect![[""]],
    );
    check(
        ApiError::TooLarge {
            limit: crate::body::MAX_REQUEST_BYTES,
        },
        expect![[""]],
    );
    check(
        ApiError::Expired("too old resource version: 1 (5)".into()),
        expect![[""]],
    );
}

#[test]
fn trouble_of_the_servers_own_says_when_to_come_back() {
    check(
        ApiError::TooManyRequests {
            message: "slow down".into(),
            retry_after: Duration::from_millis(200),
        },
        expect![[""]],
    );
    check(
        ApiError::ServiceUnavailable("shutting down".into()),
        expect![[""]],
    );
    check(
        ApiError::Timeout("request did not complete within the allotted timeout".into()),
        expect![[""]],
    );
}

#[test]
fn internal_details_stay_in_the_log() {
    check(
        ApiError::Internal("/var/lib/secret is unreadable".into()),
        expect![[""]],
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
    expect![[""]].assert_eq(&status);
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
