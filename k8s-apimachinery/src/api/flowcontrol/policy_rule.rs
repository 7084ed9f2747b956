//! A rule of a flow schema: whose requests, doing what, to what.

use super::subject;
use crate::api::Field;
use crate::name;

const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];

pub(super) fn check(rule: &Field) {
    let subjects = rule.get("subjects");
    if subjects.is_empty() {
        subjects.required("subjects must contain at least one value");
    }
    subjects.items().for_each(|each| subject::check(&each));
    let (resources, paths) = (rule.get("resourceRules"), rule.get("nonResourceRules"));
    if resources.is_empty() && paths.is_empty() {
        rule.required("at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    resources.items().for_each(|rule| check_resources(&rule));
    paths.items().for_each(|rule| check_paths(&rule));
}

fn check_resources(rule: &Field) {
    check_verbs(&rule.get("verbs"));
    for (field, what, all) in [
        ("apiGroups", "api group", "api groups"),
        ("resources", "resource", "resources"),
    ] {
        let list = rule.get(field);
        if list.is_empty() {
            list.required(format!("resource rules must supply at least one {what}"));
        } else {
            check_wildcard(&list, all);
        }
    }
    let namespaces = rule.get("namespaces");
    if namespaces.is_empty() && !rule.get("clusterScope").is_true() {
        namespaces.required(
            "resource rules that are not cluster scoped must supply at least one namespace",
        );
    } else if !check_wildcard(&namespaces, "namespaces") {
        for namespace in namespaces.items() {
            for message in name::dns1123_label(namespace.str()) {
                namespace.invalid(format!(
                    "each member of this list must be '*' or a DNS-1123 label; {message}"
                ));
            }
        }
    }
}

fn check_paths(rule: &Field) {
    check_verbs(&rule.get("verbs"));
    let urls = rule.get("nonResourceURLs");
    if urls.is_empty() {
        urls.required("nonResourceURLs must contain at least one value");
    } else if !check_wildcard(&urls, "non-resource URLs") {
        urls.items().for_each(|url| check_path(&url));
    }
}

fn check_path(url: &Field) {
    let path = url.str();
    let fault = match path {
        "" => "must not be empty",
        "/" => return,
        _ if !path.starts_with('/') => "must start with slash",
        _ if path.contains(' ') => "must not contain white-space",
        _ if path.contains("//") => "must not contain double slash",
        _ => match path.matches('*').count() {
            0 => return,
            1 if path.ends_with("/*") => return,
            _ => "wildcard can only do suffix matching",
        },
    };
    url.invalid(fault);
}

fn check_verbs(verbs: &Field) {
    if verbs.is_empty() {
        verbs.required("verbs must contain at least one value");
    } else if !check_wildcard(verbs, "verbs")
        && !verbs.items().all(|verb| VERBS.contains(&verb.str()))
    {
        verbs.unsupported(&VERBS);
    }
}

/// Says whether the list has a `*`, which must then be alone.
fn check_wildcard(list: &Field, others: &str) -> bool {
    let has_wildcard = list.items().any(|item| item.str() == "*");
    if has_wildcard && list.len() > 1 {
        list.invalid(format!(
            "if '*' is present, must not specify other {others}"
        ));
    }
    has_wildcard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect;
    use crate::api::testing::object;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_rule(rule: Value, want: &[&str]) {
        let mut rule = rule;
        rule["subjects"] = json!([{"kind": "User", "user": {"name": "*"}}]);
        let faults = collect(&object(json!({"rule": rule})), |root| {
            check(&root.get("rule"))
        });
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn a_rule_is_about_resources_or_paths() {
        check_rule(
            json!({}),
            &[
                "rule: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
            ],
        );
        let paths =
            |urls: Value| json!({"nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": urls}]});
        let at = "rule.nonResourceRules[0].nonResourceURLs";
        check_rule(paths(json!(["/", "/a/*"])), &[]);
        check_rule(
            paths(json!(["a", "/*/b", "/a//b", "/a b"])),
            &[
                &format!(r#"{at}[0]: Invalid value: "a": must start with slash"#),
                &format!(r#"{at}[1]: Invalid value: "/*/b": wildcard can only do suffix matching"#),
                &format!(r#"{at}[2]: Invalid value: "/a//b": must not contain double slash"#),
                &format!(r#"{at}[3]: Invalid value: "/a b": must not contain white-space"#),
            ],
        );
    }

    #[test]
    fn a_wildcard_stands_alone() {
        let rule = |verbs: Value, namespaces: Value| {
            json!({"resourceRules": [{
                "verbs": verbs, "apiGroups": ["*"], "resources": ["*"], "namespaces": namespaces,
            }]})
        };
        let at = "rule.resourceRules[0]";
        check_rule(rule(json!(["*"]), json!(["*"])), &[]);
        check_rule(
            rule(json!(["*", "get"]), json!([])),
            &[
                &format!(
                    r#"{at}.verbs: Invalid value: ["*","get"]: if '*' is present, must not specify other verbs"#
                ),
                &format!(
                    "{at}.namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace"
                ),
            ],
        );
    }
}
