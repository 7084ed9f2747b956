//! Which names are well formed. Each function returns what is wrong, in Kubernetes' words; nothing when all is well.

use std::ops::RangeInclusive;

/// Longest DNS label.
pub const DNS_LABEL_MAX: usize = 63;
/// Longest DNS subdomain.
pub const DNS_SUBDOMAIN_MAX: usize = 253;
/// Longest label value, and longest name part of a qualified name.
pub const LABEL_VALUE_MAX: usize = 63;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
    with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of \
    lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex \
    used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
    character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
    '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation \
    is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
    character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// A DNS label as of RFC 1123: names of namespaces and of containers.
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut faults = too_long(text, DNS_LABEL_MAX);
    if !is_dns_label(text) {
        faults.push(LABEL.to_owned());
    }
    faults
}

/// A DNS subdomain as of RFC 1123: names of most objects.
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut faults = too_long(text, DNS_SUBDOMAIN_MAX);
    if !text.split('.').all(is_dns_label) {
        faults.push(SUBDOMAIN.to_owned());
    }
    faults
}

/// A DNS label as of RFC 1035, which starts with a letter: names of services.
pub fn dns1035_label(text: &str) -> Vec<String> {
    let mut faults = too_long(text, DNS_LABEL_MAX);
    if !is_dns_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        faults.push(LABEL_1035.to_owned());
    }
    faults
}

/// `*.` and a DNS subdomain: hosts of ingresses.
pub fn wildcard_dns1123_subdomain(text: &str) -> Vec<String> {
    let mut faults = too_long(text, DNS_SUBDOMAIN_MAX);
    let rest = text.strip_prefix("*.");
    if !rest.is_some_and(|rest| rest.split('.').all(is_dns_label)) {
        faults.push(WILDCARD.to_owned());
    }
    faults
}

/// The value of a label; it may be empty.
pub fn label_value(text: &str) -> Vec<String> {
    let mut faults = too_long(text, LABEL_VALUE_MAX);
    if !text.is_empty() && !is_name_part(text) {
        faults.push(LABEL_VALUE.to_owned());
    }
    faults
}

/// A name with an optional DNS subdomain in front, such as `example.com/role`: keys of labels and annotations, names of
/// resources, finalizers and conditions.
pub fn qualified_name(text: &str) -> Vec<String> {
    let (prefix, name) = match text.split_once('/') {
        None => (None, text),
        Some((prefix, name)) if !name.contains('/') => (Some(prefix), name),
        Some(_) => {
            let optional =
                "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {QUALIFIED} {optional}")];
        }
    };
    let mut faults = Vec::new();
    match prefix {
        None => {}
        Some("") => faults.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => faults.extend(
            dns1123_subdomain(prefix)
                .iter()
                .map(|fault| format!("prefix part {fault}")),
        ),
    }
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    }
    faults.extend(
        too_long(name, LABEL_VALUE_MAX)
            .iter()
            .map(|fault| format!("name part {fault}")),
    );
    if !is_name_part(name) {
        faults.push(format!("name part {QUALIFIED}"));
    }
    faults
}

/// A label's key: the same as [`qualified_name`].
pub fn label_key(text: &str) -> Vec<String> {
    qualified_name(text)
}

/// A port number, 1 to 65535.
pub fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1..=65535)
}

fn in_range(number: i64, range: RangeInclusive<i64>) -> Vec<String> {
    match range.contains(&number) {
        true => Vec::new(),
        false => vec![format!(
            "must be between {} and {}, inclusive",
            range.start(),
            range.end()
        )],
    }
}

fn too_long(text: &str, max: usize) -> Vec<String> {
    match text.len() > max {
        true => vec![format!("must be no more than {max} bytes")],
        false => Vec::new(),
    }
}

fn is_dns_label(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_name_part(text: &str) -> bool {
    let is_edge = |b: &u8| b.is_ascii_alphanumeric();
    let is_inner = |b: &u8| is_edge(b) || matches!(b, b'-' | b'_' | b'.');
    match text.as_bytes() {
        [] => false,
        [only] => is_edge(only),
        [first, inner @ .., last] => is_edge(first) && is_edge(last) && inner.iter().all(is_inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(rule(text), Vec::<String>::new(), "{text:?}");
        }
        for text in bad {
            assert_ne!(rule(text), Vec::<String>::new(), "{text:?}");
        }
    }

    #[test]
    fn labels_are_lower_case_with_inner_dashes() {
        let long = "a".repeat(64);
        check(
            dns1123_label,
            &["a", "a-b", "1a", &long[1..]],
            &["", "-a", "a-", "A", "a.b", "a_b", &long],
        );
        check(dns1035_label, &["a", "a-1"], &["", "1a", "-a", "a-"]);
    }

    #[test]
    fn subdomains_are_dotted_labels() {
        check(
            dns1123_subdomain,
            &["a", "a.b-c.1"],
            &["", ".a", "a.", "a..b", "a.-b", &"a".repeat(254)],
        );
    }

    #[test]
    fn label_values_may_be_empty() {
        check(
            label_value,
            &["", "a", "A_b.c-1"],
            &["_a", "a-", "a b", &"a".repeat(64)],
        );
    }

    #[test]
    fn qualified_names_have_at_most_one_slash() {
        check(
            qualified_name,
            &["a", "x.io/A_b"],
            &["", "/a", "x/", "a/b/c", "X/a", "x/_a"],
        );
    }

    #[test]
    fn messages_name_the_part_at_fault() {
        assert_eq!(
            qualified_name("/"),
            [
                "prefix part must be non-empty",
                "name part must be non-empty",
                &format!("name part {QUALIFIED}"),
            ]
        );
        assert_eq!(
            dns1123_label(&"a".repeat(64)),
            ["must be no more than 63 bytes"]
        );
        assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    }
}
