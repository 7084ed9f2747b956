//! Names of signers: a domain, a slash, a path.

use crate::api::Field;
use crate::name;

const MAX_DOMAIN: usize = 253;
/// The path must leave room for a label and a dot.
const MAX_NAME: usize = MAX_DOMAIN + 1 + 253 + 63 + 1;

/// Checks the name of a signer, such as `kubernetes.io/kube-apiserver-client`.
pub(crate) fn check(signer: &Field) {
    if !signer.must_be_set() {
        return;
    }
    let parts: Vec<_> = signer.str().split('/').collect();
    let [domain, path] = parts[..] else {
        return signer.invalid(
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        );
    };
    if domain.len() > MAX_DOMAIN {
        signer.too_long(MAX_DOMAIN);
    }
    check_labels(signer, domain, name::dns1123_label);
    if !domain.contains('.') {
        signer.invalid_value(
            domain,
            "should be a domain with at least two segments separated by dots",
        );
    }
    check_labels(signer, path, name::dns1123_subdomain);
    if signer.str().len() > MAX_NAME {
        signer.too_long(MAX_NAME);
    }
}

/// Reports the first label that is malformed.
fn check_labels(signer: &Field, text: &str, faults: fn(&str) -> Vec<String>) {
    let malformed = text
        .split('.')
        .map(|label| (label, faults(label)))
        .find(|(_, faults)| !faults.is_empty());
    if let Some((label, faults)) = malformed {
        for fault in faults {
            signer.invalid_value(text, format!("validating label {label:?}: {fault}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::json;

    #[test]
    fn signers_have_a_domain_and_a_path() {
        #[track_caller]
        fn check_name(name: &str, want: &[&str]) {
            let faults = collect(&object(json!({"s": name})), |root| check(&root.get("s")));
            let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(texts, want);
        }
        check_name("example.com/a.b", &[]);
        check_name("", &["s: Required value"]);
        check_name(
            "a",
            &[
                r#"s: Invalid value: "a": must be a fully qualified domain and path of the form 'example.com/signer-name'"#,
            ],
        );
        check_name(
            "a/b",
            &[
                r#"s: Invalid value: "a": should be a domain with at least two segments separated by dots"#,
            ],
        );
    }
}
