use super::*;
use crate::api::testing::{check_create, check_status, check_update, named};
use serde_json::{Value, json};

fn claim(devices: Value) -> Object {
    named(json!({"spec": {"devices": devices}}))
}

fn one() -> Value {
    json!([{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}])
}

fn with_status(status: Value) -> Object {
    named(json!({"spec": {"devices": {"requests": one()}}, "status": status}))
}

fn result(request: &str) -> Value {
    json!({"request": request, "driver": "gpu.example.com", "pool": "n1", "device": "gpu-0"})
}

#[test]
fn one_device_is_asked_for() {
    let mut object = claim(json!({"requests": one()}));
    ResourceClaim.default(&mut object);
    let exactly = object.get(&["spec", "devices", "requests"]);
    assert_eq!(
        exactly.map(|requests| &requests[0]["exactly"]),
        Some(&json!({
            "deviceClassName": "gpu.example.com", "allocationMode": "ExactCount", "count": 1,
        }))
    );
    check_create(&ResourceClaim, object, &[]);
}

#[test]
fn a_request_is_exact_or_has_alternatives() {
    let at = "spec.devices.requests[0]";
    check_create(
        &ResourceClaim,
        claim(json!({"requests": [{"name": "a"}]})),
        &[&format!(
            "{at}: Required value: exactly one of `exactly` or `firstAvailable` is required"
        )],
    );
    check_create(
        &ResourceClaim,
        claim(json!({"requests": [{"name": "a", "firstAvailable": [
            {"name": "b", "deviceClassName": "c", "allocationMode": "All", "count": 2},
            {"name": "b", "allocationMode": "Some"},
        ]}]})),
        &[
            &format!(
                "{at}.firstAvailable[0].count: Invalid value: 2: must not be specified when allocationMode is 'All'"
            ),
            &format!("{at}.firstAvailable[1].deviceClassName: Required value"),
            &format!(
                r#"{at}.firstAvailable[1].allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount""#
            ),
            &format!(r#"{at}.firstAvailable[1]: Duplicate value: "b""#),
        ],
    );
}

#[test]
fn constraints_and_configuration_name_requests() {
    let constraint = json!({"requests": ["gpu", "x"], "matchAttribute": "example.com/a"});
    check_create(
        &ResourceClaim,
        claim(json!({"requests": one(), "constraints": [constraint], "config": [{}]})),
        &[
            r#"spec.devices.constraints[0].requests[1]: Invalid value: "x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"#,
            "spec.devices.config[0].opaque: Required value",
        ],
    );
    let mut derived = one();
    derived[0]["exactly"]["derivedAttributes"] = json!([{"name": "d", "expression": "1"}]);
    check_create(
        &ResourceClaim,
        claim(json!({"requests": derived})),
        &[
            r#"spec.devices.requests[0].exactly.derivedAttributes[0].name: Invalid value: "d": must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request"#,
        ],
    );
}

#[test]
fn the_spec_stays() {
    let old = || claim(json!({"requests": one()}));
    let mut new = old();
    new.set(&["spec", "devices"], json!({}));
    check_update(
        &ResourceClaim,
        old(),
        new,
        &[r#"spec: Invalid value: {"devices":{}}: field is immutable"#],
    );
}

#[test]
fn an_allocation_answers_requests_of_the_claim() {
    let given = |request: &str| json!({"allocation": {"devices": {"results": [result(request)]}}});
    check_status(&ResourceClaim, with_status(given("gpu")), &[]);
    check_status(
        &ResourceClaim,
        with_status(given("tpu")),
        &[
            r#"status.allocation.devices.results[0].request: Invalid value: "tpu": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"#,
        ],
    );
}

#[test]
fn only_what_is_allocated_can_be_reserved() {
    let reserved = json!([{"resource": "pods", "name": "a", "uid": "1"}]);
    check_status(
        &ResourceClaim,
        with_status(json!({"reservedFor": reserved})),
        &["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"],
    );
}

#[test]
fn an_allocation_stays() {
    let given = |device: &str| {
        let mut result = result("gpu");
        result["device"] = device.into();
        with_status(json!({"allocation": {"devices": {"results": [result]}}}))
    };
    let faults = ResourceClaim.validate_status_update(&given("b"), &given("a"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].field, "status.allocation");
}

#[test]
fn drivers_report_what_was_allocated() {
    let device = json!({"driver": "gpu.example.com", "pool": "n1", "device": "gpu-1"});
    let mut object = with_status(json!({"devices": [device]}));
    object.set(
        &["status", "allocation", "devices", "results"],
        json!([result("gpu")]),
    );
    check_status(
        &ResourceClaim,
        object,
        &[
            r#"status.devices[0]: Invalid value: {"Device":"gpu-1","Driver":"gpu.example.com","Pool":"n1","ShareID":""}: must be an allocated device in the claim"#,
        ],
    );
}
