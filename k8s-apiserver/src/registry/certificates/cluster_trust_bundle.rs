//! ClusterTrustBundle.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    api::{Field, NameRule, Rules, certificates::cluster_trust_bundle},
    table::ColumnDefinition,
};
use x509_parser::pem::Pem;

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `certificates.k8s.io/v1` `ClusterTrustBundle`.
pub(crate) struct ClusterTrustBundle;

static COLUMNS: [ColumnDefinition; 2] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("SignerName", "Signer whose certificates are trusted."),
];

impl Strategy for ClusterTrustBundle {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "certificates.k8s.io",
            "v1",
            "ClusterTrustBundle",
            "clustertrustbundles",
        )
        .cluster_scoped()
        .conditional_update_only()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(&Trust)
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.signerName"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        let signer = cell::text_or_else(object, &["spec", "signerName"], "<none>");
        vec![object.name().into(), signer]
    }
}

/// The rules of the kind, and what the bundle holds: certificates of authorities.
struct Trust;

const RULES: cluster_trust_bundle::ClusterTrustBundle = cluster_trust_bundle::ClusterTrustBundle;

impl Rules for Trust {
    fn name_rule(&self) -> NameRule {
        RULES.name_rule()
    }

    fn is_namespaced(&self) -> bool {
        RULES.is_namespaced()
    }

    fn check(&self, object: &Field) {
        RULES.check(object);
        let spec = object.get("spec");
        check_certificates(&spec.get("trustBundle"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        RULES.check_update(new, old);
    }
}

fn check_certificates(bundle: &Field) {
    let blocks = Pem::iter_from_buffer(bundle.str().as_bytes());
    for (at, block) in blocks.flatten().enumerate() {
        if block.label != "CERTIFICATE" {
            continue;
        }
        let fault = match block.parse_x509() {
            Err(error) => format!("entry {at} does not parse as X.509: {error}"),
            Ok(certificate) if !certificate.is_ca() => {
                format!("entry {at} does not have the CA bit set")
            }
            Ok(_) => continue,
        };
        bundle.invalid_value("<value omitted>", fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_holds_certificates_of_authorities() {
        let details = |label: &str, data: &str| -> Vec<String> {
            let pem = format!("-----BEGIN {label}-----\n{data}\n-----END {label}-----\n");
            let object = json!({"metadata": {"name": "a"}, "spec": {"trustBundle": pem}});
            let object = Object::from_value(object).expect("an object");
            let faults = Trust.validate(&object);
            faults.into_iter().map(|fault| fault.detail).collect()
        };
        let garbage = details("CERTIFICATE", "YWJj");
        assert_eq!(garbage.len(), 1, "{garbage:?}");
        assert!(garbage[0].starts_with("entry 0 does not parse as X.509: "));
        assert_eq!(details("KEY", "YWJj"), ["entry 0 has bad block type: KEY"]);

        let key = rcgen::KeyPair::generate().expect("a key");
        let leaf = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("parameters");
        let leaf = leaf.self_signed(&key).expect("a certificate");
        let object = json!({"metadata": {"name": "a"}, "spec": {"trustBundle": leaf.pem()}});
        let faults = Trust.validate(&Object::from_value(object).expect("an object"));
        assert_eq!(faults[0].detail, "entry 0 does not have the CA bit set");
    }
}
