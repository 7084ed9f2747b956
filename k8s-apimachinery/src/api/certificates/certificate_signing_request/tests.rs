use super::*;
use crate::api::testing::{check_create, check_update, cluster_wide};
use crate::object::Object;
use serde_json::json;

const REQUEST: &str =
    "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

fn request(spec: Value, status: Value) -> Object {
    let mut whole = json!({
        "request": BASE64.encode(REQUEST),
        "usages": ["client auth"],
        "signerName": "example.com/signer",
    });
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    cluster_wide(json!({ "spec": whole, "status": status }))
}

fn conditions(types: &[&str]) -> Value {
    let condition = |type_: &&str| json!({ "type": type_, "status": "True" });
    json!({ "conditions": types.iter().map(condition).collect::<Vec<_>>() })
}

#[track_caller]
fn check_spec(spec: Value, want: &[&str]) {
    check_create(&CertificateSigningRequest, request(spec, json!({})), want);
}

#[track_caller]
fn check_status(old: Value, new: Value, want: &[&str]) {
    let (old, new) = (request(json!({}), old), request(json!({}), new));
    let faults = CertificateSigningRequest.validate_status_update(&new, &old);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

#[test]
fn a_request_names_its_signer_and_its_usages() {
    check_spec(json!({}), &[]);
    check_spec(
        json!({ "usages": [], "signerName": "" }),
        &[
            "spec.usages: Required value",
            "spec.signerName: Required value",
        ],
    );
    check_spec(
        json!({ "usages": ["client auth", "client auth"] }),
        &["spec.usages[1]: Duplicate value: \"client auth\""],
    );
    for (signer, fault) in [
        (
            "signer",
            "\"signer\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
        ),
        (
            "example/signer",
            "\"example\": should be a domain with at least two segments separated by dots",
        ),
        (
            "kubernetes.io/legacy-unknown",
            "\"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
        ),
    ] {
        let fault = format!("spec.signerName: Invalid value: {fault}");
        check_spec(json!({ "signerName": signer }), &[&fault]);
    }
}

#[test]
fn a_request_is_pem_and_lives_ten_minutes_at_least() {
    let other = BASE64.encode(CERTIFICATE);
    let fault = format!(
        "spec.request: Invalid value: {other:?}: PEM block type must be CERTIFICATE REQUEST"
    );
    check_spec(json!({ "request": other }), &[&fault]);
    check_spec(json!({ "expirationSeconds": 600 }), &[]);
    check_spec(
        json!({ "expirationSeconds": 599 }),
        &[
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
        ],
    );
}

#[test]
fn a_decision_is_made_once() {
    let check = |old: &[&str], new: &[&str], want: &[&str]| {
        let (old, new) = (conditions(old), conditions(new));
        let rules = CertificateSigningRequest;
        check_update(
            &rules,
            request(json!({}), old),
            request(json!({}), new),
            want,
        );
    };
    check(&[], &["Approved"], &[]);
    check(&["Approved"], &["Approved", "Other"], &[]);
    check(
        &["Approved"],
        &[],
        &["status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""],
    );
    check(
        &["Approved"],
        &["Approved", "Denied"],
        &[
            "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive",
        ],
    );
    let doubtful = json!({ "conditions": [{ "type": "Approved", "status": "False" }] });
    check_update(
        &CertificateSigningRequest,
        request(json!({}), json!({})),
        request(json!({}), doubtful),
        &["status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\""],
    );
}

#[test]
fn a_signer_sets_the_certificate_once_and_decides_nothing() {
    let holding = |text: &str| json!({ "certificate": BASE64.encode(text) });
    check_status(json!({}), holding(CERTIFICATE), &[]);
    check_status(json!({}), conditions(&["Failed"]), &[]);
    check_status(
        json!({}),
        conditions(&["Approved"]),
        &["status.conditions: Forbidden: updates may not add a condition of type \"Approved\""],
    );
    let because = |reason: &str| json!({"conditions": [{"type": "Approved", "status": "True", "reason": reason}]});
    check_status(because("a"), because("a"), &[]);
    check_status(
        because("a"),
        because("b"),
        &["status.conditions: Forbidden: updates may not modify a condition of type \"Approved\""],
    );
    check_status(
        holding(CERTIFICATE),
        json!({}),
        &["status.certificate: Forbidden: updates may not modify existing certificate content"],
    );
    check_status(
        json!({}),
        holding("text"),
        &[
            "status.certificate: Invalid value: \"<certificate data>\": must contain at least one CERTIFICATE PEM block",
        ],
    );
    check_status(
        json!({}),
        holding(REQUEST),
        &[
            "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM blocks are allowed, found \
             \"CERTIFICATE REQUEST\"",
        ],
    );
}
