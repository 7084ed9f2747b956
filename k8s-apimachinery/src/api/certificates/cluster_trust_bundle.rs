//! ClusterTrustBundle: certificates that a signer's clients trust (KEP-3257).

use std::collections::BTreeMap;

use super::{pem, signer};
use crate::api::{Field, NameRule, Rules};
use crate::name;

const MAX_BUNDLE: usize = 1024 * 1024;

/// Rules of `certificates.k8s.io/v1` `ClusterTrustBundle`.
pub struct ClusterTrustBundle;

impl Rules for ClusterTrustBundle {
    /// The signer's name comes first, with colons, which no other rule would let pass.
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        let signer_name = spec.get("signerName");
        check_name(&metadata.get("name"), signer_name.str());
        if !signer_name.is_empty() {
            signer::check(&signer_name);
        }
        check_bundle(&spec.get("trustBundle"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        spec.get("signerName")
            .must_not_change(&old.get("signerName"));
    }
}

fn check_name(object: &Field, signer: &str) {
    let text = object.str();
    if signer.is_empty() {
        return match text.contains(':') {
            true => object
                .invalid("ClusterTrustBundle without signer name must not have \":\" in its name"),
            false => object.invalid_for(name::dns1123_subdomain(text)),
        };
    }
    let prefix = format!("{}:", signer.replace('/', ":"));
    match text.strip_prefix(&prefix) {
        Some(rest) => object.invalid_for(name::dns1123_subdomain(rest)),
        None => object.invalid(format!(
            "ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        )),
    }
}

fn check_bundle(bundle: &Field) {
    let fault = |message: String| bundle.invalid_value("<value omitted>", message);
    if bundle.str().len() > MAX_BUNDLE {
        return bundle.too_long(MAX_BUNDLE);
    }
    let blocks = pem::blocks(bundle.str());
    let mut anchors: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut is_sound = true;
    for (at, block) in blocks.iter().enumerate() {
        let wrong = match (block.label.as_str(), block.has_headers) {
            ("CERTIFICATE", false) => {
                anchors.entry(&block.data).or_default().push(at);
                continue;
            }
            ("CERTIFICATE", true) => "has PEM block headers".to_owned(),
            (label, _) => format!("has bad block type: {label}"),
        };
        is_sound = false;
        fault(format!("entry {at} {wrong}"));
    }
    if !is_sound {
        return;
    }
    if anchors.is_empty() {
        fault("at least one trust anchor must be provided".to_owned());
    }
    for places in anchors.values().filter(|places| places.len() > 1) {
        let places: Vec<_> = places.iter().map(ToString::to_string).collect();
        fault(format!(
            "duplicate trust anchor (indices [{}])",
            places.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, object};
    use crate::object::Object;
    use serde_json::json;

    fn block(label: &str) -> String {
        format!("-----BEGIN {label}-----\nYWJj\n-----END {label}-----\n")
    }

    fn bundle(name: &str, signer: &str, text: &str) -> Object {
        let spec = json!({"signerName": signer, "trustBundle": text});
        object(json!({"metadata": {"name": name}, "spec": spec}))
    }

    #[test]
    fn the_name_starts_with_the_signers() {
        let pem = block("CERTIFICATE");
        check_create(&ClusterTrustBundle, bundle("a", "", &pem), &[]);
        check_create(
            &ClusterTrustBundle,
            bundle("example.com:s:a", "example.com/s", &pem),
            &[],
        );
        check_create(
            &ClusterTrustBundle,
            bundle("a", "example.com/s", &pem),
            &[
                r#"metadata.name: Invalid value: "a": ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:"#,
            ],
        );
        check_create(
            &ClusterTrustBundle,
            bundle("a:b", "", &pem),
            &[
                r#"metadata.name: Invalid value: "a:b": ClusterTrustBundle without signer name must not have ":" in its name"#,
            ],
        );
    }

    #[test]
    fn a_bundle_holds_certificates_once() {
        let check = |text: &str, want: &str| {
            let want = format!("spec.trustBundle: Invalid value: \"<value omitted>\": {want}");
            check_create(&ClusterTrustBundle, bundle("a", "", text), &[&want]);
        };
        check("", "at least one trust anchor must be provided");
        check(&block("KEY"), "entry 0 has bad block type: KEY");
        check(
            &block("CERTIFICATE").repeat(2),
            "duplicate trust anchor (indices [0 1])",
        );
    }

    #[test]
    fn the_signer_stays() {
        let pem = block("CERTIFICATE");
        let mut new = bundle("example.com:s:a", "example.com/s", &pem);
        new.remove(&["spec", "signerName"]);
        new.set(&["metadata", "name"], "example.com:s:a".into());
        let faults = ClusterTrustBundle
            .validate_update(&new, &bundle("example.com:s:a", "example.com/s", &pem));
        assert!(
            faults.iter().any(|f| f.field == "spec.signerName"),
            "{faults:?}"
        );
        check_update(
            &ClusterTrustBundle,
            bundle("a", "", &pem),
            bundle("a", "", &pem),
            &[],
        );
    }
}
