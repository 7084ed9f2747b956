//! Projected volumes: files from several sources side by side.

use std::collections::HashSet;

use super::volume::{check_downward_file, check_files, check_local_path, check_mode};
use crate::api::certificates::signer;
use crate::api::field::Field;
use crate::api::selector::check_label_selector;
use crate::name;

const KEY_TYPES: [&str; 6] = [
    "ECDSAP256",
    "ECDSAP384",
    "ECDSAP521",
    "ED25519",
    "RSA3072",
    "RSA4096",
];
/// Fields of a certificate's projection that say where parts of it go.
const CERTIFICATE_PATHS: [&str; 3] = ["credentialBundlePath", "keyPath", "certificateChainPath"];

/// Checks a projected volume. What conflicts, and a token's path, is reported for the volume, as in Kubernetes.
pub(super) fn check(volume: &Field) {
    check_mode(&volume.get("defaultMode"));
    let mut paths = Paths {
        volume,
        seen: HashSet::new(),
    };
    for source in volume.get("sources").items() {
        let kinds: Vec<_> = source.names().collect();
        for kind in &kinds {
            let inner = source.get(kind);
            match *kind {
                "secret" | "configMap" => {
                    inner.get("name").must_be_set();
                    check_files(&inner);
                    let name = inner.get("name").str();
                    inner.get("items").items().for_each(|item| {
                        paths.note(item.get("path").str(), name);
                    });
                }
                "downwardAPI" => {
                    for item in inner.get("items").items() {
                        check_downward_file(&inner, &item);
                        let path = item.get("path").str();
                        paths.note(path, path);
                    }
                }
                "serviceAccountToken" => check_token(&inner, volume),
                "clusterTrustBundle" => {
                    check_bundle(&inner);
                    let path = inner.get("path").str();
                    paths.note(path, path);
                }
                "podCertificate" => {
                    check_certificate(&inner);
                    for path in CERTIFICATE_PATHS.map(|field| inner.get(field).str()) {
                        paths.note(path, path);
                    }
                }
                _ => {}
            }
        }
        if kinds.len() > 1 {
            source.forbidden("may not specify more than 1 volume type per source");
        }
    }
}

/// The paths that are taken.
struct Paths<'a, 'p, 'v> {
    volume: &'a Field<'p, 'v>,
    seen: HashSet<&'v str>,
}

impl<'v> Paths<'_, '_, 'v> {
    fn note(&mut self, path: &'v str, shown: &str) {
        if !path.is_empty() && !self.seen.insert(path) {
            self.volume
                .invalid_value(shown, "conflicting duplicate paths");
        }
    }
}

fn check_token(token: &Field, volume: &Field) {
    const MIN_SECONDS: i64 = 10 * 60;
    let expiration = token.get("expirationSeconds");
    match expiration.int() {
        Some(seconds) if seconds < MIN_SECONDS => {
            expiration.invalid("may not specify a duration less than 10 minutes");
        }
        Some(seconds) if seconds > 1 << 32 => {
            expiration.invalid("may not specify a duration larger than 2^32 seconds");
        }
        _ => {}
    }
    let shown = volume.get("path");
    let path = shown.holding(&token.get("path"));
    if path.must_be_set() {
        check_local_path(&path);
    }
}

/// Certificates to trust come from one bundle, by its name, or from all of a signer (KEP-3257).
fn check_bundle(bundle: &Field) {
    let [name, signer_name, selector, path] =
        ["name", "signerName", "labelSelector", "path"].map(|field| bundle.get(field));
    match (name.is_set(), signer_name.is_set()) {
        (true, true) => bundle.invalid("only one of name and signerName may be used"),
        (true, false) => {
            if name.is_empty() {
                name.required("must be a valid object name");
            }
            // A bundle of a signer has the signer's name, its slash a colon, in front of its own.
            let own = name.str().rsplit(':').next().unwrap_or_default();
            for message in name::dns1123_subdomain(own) {
                name.invalid_value(
                    name.str(),
                    format!("not a valid clustertrustbundlename: {message}"),
                );
            }
            if selector.is_set() {
                selector.invalid("labelSelector must be unset if name is specified");
            }
        }
        (false, true) => {
            if signer_name.is_empty() {
                signer_name.required("must be a valid signer name");
            }
            signer::check(&signer_name);
            check_label_selector(&selector);
        }
        (false, false) => bundle.required("either name or signerName must be specified"),
    }
    if path.must_be_set() {
        check_local_path(&path);
    }
}

/// A certificate for the pod itself (KEP-4317).
fn check_certificate(certificate: &Field) {
    signer::check(&certificate.get("signerName"));
    let key_type = certificate.get("keyType");
    if !KEY_TYPES.contains(&key_type.str()) {
        key_type.unsupported(&KEY_TYPES);
    }
    let paths = CERTIFICATE_PATHS.map(|field| certificate.get(field));
    if paths.iter().all(|path| path.is_empty()) {
        certificate.required(
            "specify at least one of credentialBundlePath, keyPath, and certificateChainPath",
        );
    }
    for path in paths.iter().filter(|path| !path.is_empty()) {
        check_local_path(path);
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(sources: Value, want: &[&str]) {
        let volume = object(json!({ "sources": sources }));
        let faults = collect(&volume, super::check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn no_two_files_have_the_same_path() {
        let items = json!([{"key": "k", "path": "a"}]);
        check(
            json!([
                {"secret": {"name": "s", "items": items}},
                {"configMap": {"name": "m", "items": items}},
                {"clusterTrustBundle": {"name": "b", "path": "a"}},
            ]),
            &[
                r#": Invalid value: "m": conflicting duplicate paths"#,
                r#": Invalid value: "a": conflicting duplicate paths"#,
            ],
        );
    }

    #[test]
    fn a_bundle_is_named_or_one_of_a_signer() {
        let at = |fields: Value| json!([{ "clusterTrustBundle": fields }]);
        check(
            at(json!({"name": "example.com:signer:b", "path": "p"})),
            &[],
        );
        check(at(json!({"signerName": "example.com/s", "path": "p"})), &[]);
        check(
            at(json!({"path": "..p"})),
            &[
                "sources[0].clusterTrustBundle: Required value: either name or signerName must be specified",
                r#"sources[0].clusterTrustBundle.path: Invalid value: "..p": must not start with '..'"#,
            ],
        );
        check(
            at(json!({"name": "b", "labelSelector": {}, "path": "p"})),
            &[
                "sources[0].clusterTrustBundle.labelSelector: Invalid value: {}: labelSelector must be unset if name is specified",
            ],
        );
    }

    #[test]
    fn a_certificate_goes_somewhere_and_has_a_key_of_a_known_type() {
        let at = |fields: Value| json!([{ "podCertificate": fields }]);
        let signer = "example.com/s";
        check(
            at(json!({"signerName": signer, "keyType": "ED25519", "keyPath": "k"})),
            &[],
        );
        check(
            at(json!({"signerName": signer, "keyType": "DSA"})),
            &[
                r#"sources[0].podCertificate.keyType: Unsupported value: "DSA": supported values: "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096""#,
                "sources[0].podCertificate: Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath",
            ],
        );
    }

    #[test]
    fn a_source_is_one_thing() {
        check(
            json!([{"secret": {"name": "s"}, "configMap": {"name": "m"}}]),
            &["sources[0]: Forbidden: may not specify more than 1 volume type per source"],
        );
    }
}
