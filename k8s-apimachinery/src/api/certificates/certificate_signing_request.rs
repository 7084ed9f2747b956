//! CertificateSigningRequest: asks a signer for a certificate.
//!
//! Whether the request in it is well-formed ASN.1 with a good signature is for the server to say.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::{pem, signer};
use crate::api::{Field, NameRule, Rules};

/// What a certificate may be for.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The signer of old clients, which this version doesn't take.
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// The shortest life that may be asked for, in seconds.
const SHORTEST: i64 = 600;
/// Conditions that stay once they are there.
const LASTING: [&str; 3] = ["Approved", "Denied", "Failed"];

/// Rules of `certificates.k8s.io/v1` `CertificateSigningRequest`.
///
/// An update is one through `approval`: a plain one changes neither spec nor status.
pub struct CertificateSigningRequest;

impl Rules for CertificateSigningRequest {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let request = spec.get("request");
        let text = decoded(&request);
        let found = pem::blocks(&text);
        if found.first().map(|block| block.label.as_str()) != Some("CERTIFICATE REQUEST") {
            request.invalid("PEM block type must be CERTIFICATE REQUEST");
        }
        check_usages(&spec.get("usages"));
        check_signer(&spec.get("signerName"));
        let expiration = spec.get("expirationSeconds");
        if expiration.int().is_some_and(|seconds| seconds < SHORTEST) {
            expiration.invalid("may not specify a duration less than 600 seconds (10 minutes)");
        }
        check_conditions(&object.get("status").get("conditions"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        for lasting in LASTING {
            check_not_removed(new, old, lasting);
        }
        let (status, before) = (new.get("status"), old.get("status"));
        let certificate = status.get("certificate");
        if !certificate.same_as(&before.get("certificate")) {
            certificate.forbidden("updates may not set certificate content");
        }
    }

    fn check_status(&self, new: &Field, old: &Field) {
        self.check(new);
        let (status, before) = (new.get("status"), old.get("status"));
        for lasting in LASTING {
            check_not_removed(new, old, lasting);
        }
        for decided in ["Approved", "Denied"] {
            let conditions = status.get("conditions");
            match count(new, decided).cmp(&count(old, decided)) {
                Ordering::Less => {}
                Ordering::Greater => conditions.forbidden(format!(
                    "updates may not add a condition of type {decided:?}"
                )),
                Ordering::Equal if of_type(new, decided) == of_type(old, decided) => {}
                Ordering::Equal => conditions.forbidden(format!(
                    "updates may not modify a condition of type {decided:?}"
                )),
            }
        }
        let (certificate, issued) = (status.get("certificate"), before.get("certificate"));
        if certificate.same_as(&issued) {
            return;
        }
        if !issued.str().is_empty() {
            certificate.forbidden("updates may not modify existing certificate content");
        }
        if let Err(fault) = check_certificate(&decoded(&certificate)) {
            certificate.invalid_value("<certificate data>", fault);
        }
    }
}

fn check_usages(usages: &Field) {
    if usages.is_empty() {
        usages.required("");
    }
    let mut seen = Vec::new();
    for usage in usages.items() {
        if !USAGES.contains(&usage.str()) {
            usage.unsupported(&USAGES);
        }
        if seen.contains(&usage.str()) {
            usage.duplicate();
        }
        seen.push(usage.str());
    }
}

fn check_signer(signer: &Field) {
    match signer.str() == LEGACY_SIGNER {
        true => signer.invalid("the legacy signerName is not allowed via this API version"),
        false => signer::check(signer),
    }
}

fn check_conditions(conditions: &Field) {
    let mut seen: Vec<&str> = Vec::new();
    for condition in conditions.items() {
        let (type_, status) = (condition.get("type"), condition.get("status"));
        type_.must_be_set();
        let allowed: &[&str] = match LASTING.contains(&type_.str()) {
            true => &["True"],
            false => &["False", "True", "Unknown"],
        };
        if status.str().is_empty() {
            status.required("");
        } else if !allowed.contains(&status.str()) {
            status.unsupported(allowed);
        }
        let opposite = match type_.str() {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if !opposite.is_empty() && seen.contains(&opposite) {
            type_.invalid("Approved and Denied conditions are mutually exclusive");
        }
        if seen.contains(&type_.str()) {
            type_.duplicate();
        }
        seen.push(type_.str());
    }
}

fn check_not_removed(new: &Field, old: &Field, lasting: &str) {
    if count(new, lasting) < count(old, lasting) {
        let status = new.get("status");
        status.get("conditions").forbidden(format!(
            "updates may not remove a condition of type {lasting:?}"
        ));
    }
}

/// How many conditions of a type there are.
fn count(object: &Field, type_: &str) -> usize {
    of_type(object, type_).len()
}

fn of_type<'v>(object: &Field<'_, 'v>, type_: &str) -> Vec<&'v Value> {
    let status = object.get("status");
    let conditions = status.get("conditions");
    let values = conditions.items().filter_map(|each| each.value());
    values.filter(|each| each["type"] == type_).collect()
}

/// One or more certificates and nothing else; an empty text is none.
fn check_certificate(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let blocks = pem::blocks(text);
    if blocks.is_empty() {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    for block in blocks {
        if block.label != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found {:?}",
                block.label
            ));
        }
        if block.has_headers {
            return Err("no PEM block headers are permitted".to_owned());
        }
        if block.data.is_empty() {
            return Err("found CERTIFICATE PEM block containing 0 certificates".to_owned());
        }
    }
    Ok(())
}

/// The text in a field of bytes; empty if there is none.
fn decoded(field: &Field) -> String {
    let text = field.value().and_then(Value::as_str).unwrap_or_default();
    String::from_utf8(BASE64.decode(text).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
