//! SELinux keeps containers among themselves: their type is one for containers, their user and role are not chosen.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod_security::{
    Subject, Violation,
    subject::text,
    violation::{Setters, plural, quoted_set},
};

const TYPES: [&str; 4] = ["", "container_t", "container_init_t", "container_kvm_t"];
/// Containers that run containers.
const ENGINE: &str = "container_engine_t";

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    check_types(subject, |type_| TYPES.contains(&type_))
}

pub(super) fn check_with_engines(subject: &Subject) -> Option<Violation> {
    check_types(subject, |type_| TYPES.contains(&type_) || type_ == ENGINE)
}

fn check_types(subject: &Subject, is_allowed: impl Fn(&str) -> bool) -> Option<Violation> {
    let options = |context: &'_ Value| -> [String; 3] {
        let options = &context["seLinuxOptions"];
        ["type", "user", "role"].map(|field| text(&options[field]).to_owned())
    };
    let is_bad = |context: &Value| {
        let [type_, user, role] = options(context);
        !is_allowed(&type_) || !user.is_empty() || !role.is_empty()
    };
    let setters = Setters {
        pod: is_bad(subject.security()),
        containers: subject.containers_that(|container| is_bad(container.security())),
    };
    if setters.is_empty() {
        return None;
    }
    let contexts = subject.containers().map(|container| container.security());
    let all: Vec<[String; 3]> = contexts.chain([subject.security()]).map(options).collect();
    let types = all.iter().map(|[type_, _, _]| type_.as_str());
    let types: BTreeSet<&str> = types.filter(|type_| !is_allowed(type_)).collect();
    let mut details = Vec::new();
    if !types.is_empty() {
        let noun = plural("type", "types", types.len());
        details.push(format!("{noun} {}", quoted_set(&types)));
    }
    for (at, field) in [(1, "user"), (2, "role")] {
        if all.iter().any(|options| !options[at].is_empty()) {
            details.push(format!("{field} may not be set"));
        }
    }
    Some(Violation {
        reason: "seLinuxOptions",
        detail: format!(
            "{setters} set forbidden securityContext.seLinuxOptions: {}",
            details.join("; ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{check as run, check_with_engines};
    use crate::pod_security::testing::{check, pod_and};

    fn options(options: Value) -> Value {
        json!({"seLinuxOptions": options})
    }

    #[test]
    fn types_are_those_of_containers_and_nothing_else_is_chosen() {
        let fine = || options(json!({"type": "container_t", "level": "s0:c1"}));
        check(run, pod_and(fine(), &[json!(null), options(json!({}))]), "");
        check(
            run,
            pod_and(
                options(json!({"type": "spc_t"})),
                &[fine(), options(json!({"type": "a_t"}))],
            ),
            r#"seLinuxOptions (pod and container "b" set forbidden securityContext.seLinuxOptions: types "a_t", "spc_t")"#,
        );
        check(
            run,
            pod_and(
                fine(),
                &[options(json!({"user": "u", "role": "r", "type": "x_t"}))],
            ),
            r#"seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "x_t"; user may not be set; role may not be set)"#,
        );
        check(
            run,
            pod_and(options(json!({"user": "u"})), &[]),
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: user may not be set)",
        );
    }

    #[test]
    fn containers_that_run_containers_came_later() {
        let engine = pod_and(options(json!({"type": "container_engine_t"})), &[]);
        check(check_with_engines, engine.clone(), "");
        check(
            run,
            engine,
            r#"seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")"#,
        );
    }
}
