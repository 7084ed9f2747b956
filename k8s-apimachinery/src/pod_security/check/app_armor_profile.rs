//! AppArmor stays on: the profile is the runtime's, or one of the node's.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod_security::{
    Subject, Violation,
    subject::text,
    violation::{Setters, plural, quoted},
};

/// The annotation of a container, from before there was a field.
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let mut values = BTreeSet::new();
    let is_bad = |context: &'_ Value| -> Option<String> {
        let profile = context.get("appArmorProfile").filter(|it| !it.is_null())?;
        let type_ = text(&profile["type"]);
        let is_allowed = matches!(type_, "RuntimeDefault" | "Localhost");
        (!is_allowed).then(|| type_.to_owned())
    };
    let mut setters = Setters::default();
    if let Some(value) = is_bad(subject.security()) {
        setters.pod = true;
        values.insert(value);
    }
    for container in subject.containers() {
        if let Some(value) = is_bad(container.security()) {
            setters.containers.push(container.name());
            values.insert(value);
        }
    }
    let annotations = subject.annotations();
    let mut annotations: Vec<String> = annotations
        .filter(|(key, value)| key.starts_with(ANNOTATION) && !is_allowed_annotation(value))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    annotations.sort();
    let mut who = Vec::new();
    if !setters.is_empty() {
        who.push(setters.to_string());
    }
    let mut values: Vec<String> = values.into_iter().collect();
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
        values.push(annotations.join(", "));
    }
    let shown: Vec<&str> = values.iter().map(String::as_str).collect();
    (!who.is_empty()).then(|| Violation {
        reason: plural(
            "forbidden AppArmor profile",
            "forbidden AppArmor profiles",
            shown.len(),
        ),
        detail: format!(
            "{} must not set AppArmor profile type to {}",
            who.join(" and "),
            quoted(&shown)
        ),
    })
}

fn is_allowed_annotation(value: &str) -> bool {
    value.is_empty() || value == "runtime/default" || value.starts_with("localhost/")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check as run;
    use crate::pod_security::testing::{check, check_pod, pod_and};

    fn profile(type_: &str) -> Value {
        json!({"appArmorProfile": {"type": type_}})
    }

    #[test]
    fn profiles_are_not_switched_off() {
        let default = || profile("RuntimeDefault");
        check(run, json!({}), "");
        check(
            run,
            pod_and(default(), &[profile("Localhost"), json!(null)]),
            "",
        );
        check(
            run,
            pod_and(profile("Unconfined"), &[default()]),
            r#"forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")"#,
        );
        check(
            run,
            pod_and(profile("Unconfined"), &[default(), profile("Odd")]),
            r#"forbidden AppArmor profiles (pod and container "b" must not set AppArmor profile type to "Odd", "Unconfined")"#,
        );
    }

    #[test]
    fn nor_by_annotation() {
        let with = |values: &[(&str, &str)]| {
            let annotations = values.iter().map(|(name, value)| {
                let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
                (key, Value::from(*value))
            });
            json!({"metadata": {"annotations": annotations.collect::<serde_json::Map<_, _>>()}})
        };
        let allowed = [("a", ""), ("b", "runtime/default"), ("c", "localhost/x")];
        check_pod(run, with(&allowed), "");
        check_pod(
            run,
            with(&[("b", "unconfined"), ("a", "bad")]),
            concat!(
                r#"forbidden AppArmor profile (annotations must not set AppArmor profile type to "#,
                r#""container.apparmor.security.beta.kubernetes.io/a="bad", "#,
                r#"container.apparmor.security.beta.kubernetes.io/b="unconfined"")"#
            ),
        );
    }
}
