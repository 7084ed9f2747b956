//! Probes and hooks reach their own pod, not other hosts in its node's name.

use std::collections::BTreeSet;

use crate::pod_security::{
    Subject, Violation,
    subject::{Container, text},
    violation::{Names, plural, quoted_set},
};

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    let mut names = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    for container in subject.containers() {
        for host in hosts_of(&container) {
            names.insert(container.name());
            hosts.insert(host);
        }
    }
    let names: Names = names.into_iter().collect();
    (!names.is_empty()).then(|| Violation {
        reason: "probe or lifecycle host",
        detail: format!(
            "{} {} {} {}",
            names.of_containers(),
            names.use_(),
            plural(
                "probe or lifecycle host",
                "probe or lifecycle hosts",
                hosts.len()
            ),
            quoted_set(&hosts)
        ),
    })
}

/// The hosts that probes and hooks name.
fn hosts_of<'a>(container: &Container<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    let lifecycle = container.get("lifecycle");
    let handlers = [
        container.get("livenessProbe"),
        container.get("readinessProbe"),
        container.get("startupProbe"),
        &lifecycle["postStart"],
        &lifecycle["preStop"],
    ];
    let hosts = handlers.into_iter().flat_map(|handler| {
        let actions = ["httpGet", "tcpSocket"];
        actions.map(|action| text(&handler[action]["host"]))
    });
    hosts.filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check as run;
    use crate::pod_security::testing::check;

    #[test]
    fn probes_and_hooks_name_no_host() {
        let own = json!({"httpGet": {"port": 80}});
        check(
            run,
            json!({"containers": [{"name": "a", "livenessProbe": own, "lifecycle": {"preStop": own}}]}),
            "",
        );
        let other = |host: &str| json!({"httpGet": {"port": 80, "host": host}});
        check(
            run,
            json!({"containers": [{"name": "a", "readinessProbe": other("h")}]}),
            r#"probe or lifecycle host (container "a" uses probe or lifecycle host "h")"#,
        );
        check(
            run,
            json!({
                "initContainers": [{"name": "z", "startupProbe": {"tcpSocket": {"port": 1, "host": "y"}}}],
                "containers": [{"name": "a", "lifecycle": {"postStart": other("x"), "preStop": other("y")}}],
            }),
            r#"probe or lifecycle host (containers "a", "z" use probe or lifecycle hosts "x", "y")"#,
        );
    }
}
