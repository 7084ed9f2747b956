//! PodCertificateRequest: what a node agent asks of a signer on behalf of a pod (KEP-4317).

use serde_json::Value;

use super::signer;
use crate::api::condition::check_conditions;
use crate::api::metadata::check_annotations;
use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const MIN_SECONDS: i64 = 3600;
const DAY: i64 = 24 * 3600;
const MAX_SECONDS: i64 = 91 * DAY;
const MAX_REQUEST: usize = 10 * 1024;
const MAX_UID: usize = 128;
const OUTCOMES: [&str; 3] = ["Denied", "Failed", "Issued"];

/// Rules of `certificates.k8s.io/v1` `PodCertificateRequest`.
pub struct PodCertificateRequest;

impl Rules for PodCertificateRequest {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("maxExpirationSeconds", DAY);
    }

    fn check_create(&self, object: &Field) {
        let spec = object.get("spec");
        let signer_name = spec.get("signerName");
        signer::check(&signer_name);
        for (name_field, uid_field) in [
            ("podName", "podUID"),
            ("serviceAccountName", "serviceAccountUID"),
            ("nodeName", "nodeUID"),
        ] {
            let (name_field, uid) = (spec.get(name_field), spec.get(uid_field));
            for message in name::dns1123_subdomain(name_field.str()) {
                name_field.invalid_value(name_field.str(), message);
            }
            if uid.is_empty() {
                uid.required("must not be empty");
            } else if uid.str().len() > MAX_UID {
                uid.too_long(MAX_UID);
            }
        }
        check_lifetime(&spec.get("maxExpirationSeconds"), signer_name.str());
        let request = spec.get("stubPKCS10Request");
        if request.must_be_set() && request.str().len() / 4 * 3 > MAX_REQUEST {
            request.too_long(MAX_REQUEST);
        }
        check_annotations(&spec.get("unverifiedUserAnnotations"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("spec").must_not_change(&old.get("spec"));
    }

    fn check_status(&self, new: &Field, old: &Field) {
        let (status, old) = (new.get("status"), old.get("status"));
        let (conditions, before) = (status.get("conditions"), old.get("conditions"));
        check_conditions(&conditions);
        if conditions.len() > 1 {
            conditions.invalid("There may be at most one condition with type \"Issued\", \"Denied\", or \"Failed\"");
        }
        for condition in conditions.items() {
            let (type_, value) = (condition.get("type"), condition.get("status"));
            if !OUTCOMES.contains(&type_.str()) {
                type_.unsupported(&OUTCOMES);
            }
            if value.str() != "True" {
                value.unsupported(&["True"]);
            }
        }
        // What was decided stays decided.
        if !before.is_empty() {
            conditions.must_not_change(&before);
        }
        check_issued(&status, &old);
    }
}

fn check_lifetime(seconds: &Field, signer: &str) {
    let max = match signer.starts_with("kubernetes.io/") {
        true => DAY,
        false => MAX_SECONDS,
    };
    let value = seconds.int().unwrap_or(0);
    if !(MIN_SECONDS..=max).contains(&value) {
        seconds.invalid_value(
            value,
            format!("must be in the range [{MIN_SECONDS}, {max}]"),
        );
    }
}

/// A certificate is there, complete and for good, when the request says that it was issued.
fn check_issued(status: &Field, old: &Field) {
    const FIELDS: [&str; 4] = [
        "notBefore",
        "beginRefreshAt",
        "notAfter",
        "certificateChain",
    ];
    let conditions = status.get("conditions");
    let is_issued = conditions
        .items()
        .any(|condition| condition.get("type").str() == "Issued");
    for field in FIELDS {
        let (value, before) = (status.get(field), old.get(field));
        if before.is_set() {
            value.must_not_change(&before);
        }
        match (is_issued, value.is_empty()) {
            (true, true) => {
                value.required("must be present and consistent with the issued certificate")
            }
            (false, false) => value.invalid_value(
                value.value().cloned().unwrap_or(Value::Null),
                "must not be set unless the \"Issued\" condition is set",
            ),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, check_update, named};
    use serde_json::json;

    fn request(seconds: i64) -> Object {
        named(json!({"spec": {
            "signerName": "example.com/s",
            "podName": "p", "podUID": "1",
            "serviceAccountName": "s", "serviceAccountUID": "2",
            "nodeName": "n", "nodeUID": "3",
            "maxExpirationSeconds": seconds,
            "stubPKCS10Request": "YWJj",
        }}))
    }

    #[test]
    fn lifetimes_lie_between_an_hour_and_three_months() {
        check_create(&PodCertificateRequest, request(3600), &[]);
        check_create(
            &PodCertificateRequest,
            request(60),
            &["spec.maxExpirationSeconds: Invalid value: 60: must be in the range [3600, 7862400]"],
        );
    }

    #[test]
    fn a_request_stays() {
        let faults = PodCertificateRequest.validate_update(&request(3601), &request(3600));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].field, "spec");
        check_update(&PodCertificateRequest, request(3600), request(3600), &[]);
    }

    #[test]
    fn a_certificate_comes_with_the_decision() {
        let mut object = request(3600);
        object.set(&["status"], json!({"certificateChain": "x"}));
        check_status(
            &PodCertificateRequest,
            object,
            &[
                r#"status.certificateChain: Invalid value: "x": must not be set unless the "Issued" condition is set"#,
            ],
        );
    }
}
