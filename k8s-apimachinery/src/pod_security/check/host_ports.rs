//! No container takes a port of the host.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod_security::{
    Subject, Violation,
    violation::{Names, plural},
};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let mut names = Names::default();
    // Ordered as texts.
    let mut taken = BTreeSet::new();
    for container in subject.containers() {
        let ports = container.get("ports").as_array().into_iter().flatten();
        let host = ports.filter_map(|port| port["hostPort"].as_i64());
        let host: Vec<String> = host
            .filter(|port| *port != 0)
            .map(|port| Value::from(port).to_string())
            .collect();
        if !host.is_empty() {
            names.push(container.name());
        }
        taken.extend(host);
    }
    (!names.is_empty()).then(|| Violation {
        reason: "hostPort",
        detail: format!(
            "{} {} {} {}",
            names.of_containers(),
            names.use_(),
            plural("hostPort", "hostPorts", taken.len()),
            taken.into_iter().collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check as run;
    use crate::pod_security::testing::check;

    #[test]
    fn no_port_is_the_hosts() {
        let with = |ports: &[Value]| {
            let containers = ('a'..).zip(ports).map(|(name, port)| {
                json!({"name": name.to_string(), "ports": [{"containerPort": 1, "hostPort": port}]})
            });
            json!({"containers": containers.collect::<Vec<_>>()})
        };
        check(run, with(&[json!(null), json!(0)]), "");
        check(
            run,
            with(&[json!(80)]),
            r#"hostPort (container "a" uses hostPort 80)"#,
        );
        check(
            run,
            with(&[json!(80), json!(443), json!(80)]),
            r#"hostPort (containers "a", "b", "c" use hostPorts 443, 80)"#,
        );
    }
}
