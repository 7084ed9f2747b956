//! Whose requests a rule is about: the field named like the kind says it, and no other is there.

use crate::api::{Field, NameRule};
use crate::name;

/// Kinds, and the field that goes with each.
const KINDS: [(&str, &str); 3] = [
    ("Group", "group"),
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
];

pub(super) fn check(subject: &Field) {
    let kind = subject.get("kind");
    if !KINDS.iter().any(|(each, _)| *each == kind.str()) {
        return kind.unsupported(&KINDS.map(|(kind, _)| kind));
    }
    for (each, field) in KINDS {
        let value = subject.get(field);
        if each == kind.str() {
            check_identity(&value, each, field);
        } else if value.is_set() {
            value.forbidden(format!(
                "{field} is forbidden when subject kind is not '{each}'"
            ));
        }
    }
}

fn check_identity(identity: &Field, kind: &str, field: &str) {
    if !identity.is_set() {
        return identity.required(format!("{field} is required when subject kind is '{kind}'"));
    }
    let account = identity.get("name");
    if account.must_be_set() && kind == "ServiceAccount" && account.str() != "*" {
        account.invalid_for(NameRule::Subdomain.faults(account.str()));
    }
    if kind == "ServiceAccount" {
        let namespace = identity.get("namespace");
        match namespace.is_empty() {
            true => namespace.required("must specify namespace for service account"),
            false => namespace.invalid_for(name::dns1123_label(namespace.str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_subject(subject: Value, want: &[&str]) {
        let faults = collect(&object(json!({"s": subject})), |root| check(&root.get("s")));
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn the_field_goes_with_the_kind() {
        check_subject(json!({"kind": "User", "user": {"name": "a"}}), &[]);
        check_subject(
            json!({"kind": "Group", "user": {"name": "a"}}),
            &[
                "s.group: Required value: group is required when subject kind is 'Group'",
                "s.user: Forbidden: user is forbidden when subject kind is not 'User'",
            ],
        );
        check_subject(
            json!({"kind": "ServiceAccount", "serviceAccount": {"name": "*"}}),
            &[
                "s.serviceAccount.namespace: Required value: must specify namespace for service account",
            ],
        );
        check_subject(
            json!({"kind": "Node"}),
            &[
                r#"s.kind: Unsupported value: "Node": supported values: "Group", "ServiceAccount", "User""#,
            ],
        );
    }
}
