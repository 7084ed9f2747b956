//! Rules for traffic from outside: node ports, external addresses, load balancers.

use crate::{
    iptables::{
        chain,
        cluster_ip::{comment, destination, refuse},
        rules::Config,
        writer::Ruleset,
    },
    state::{ServicePort, TrafficPolicy},
    topology::Reachable,
};

/// Catches a service port's node port and external addresses, if it has any.
pub(super) fn catch(
    rules: &mut Ruleset,
    config: &Config,
    port: &ServicePort,
    reachable: &Reachable<'_>,
) {
    if port.node_port.is_none() && port.external_ips.is_empty() {
        return;
    }
    let ext = chain::external(port);
    let protocol = port.protocol.name();
    let at_node = |node_port: u16| format!("-m {protocol} -p {protocol} --dport {node_port}");
    if !reachable.has_any {
        for ip in &port.external_ips {
            refuse(rules, chain::EXTERNAL, port, &destination(port, *ip));
        }
        if let Some(node_port) = port.node_port {
            let destination = format!("-m addrtype --dst-type LOCAL {}", at_node(node_port));
            refuse(rules, chain::EXTERNAL, port, &destination);
        }
        return;
    }
    for ip in &port.external_ips {
        let comment = comment(&format!("{} external IP", port.name));
        rules.nat.rule(
            chain::SERVICES,
            format!("{comment} {} -j {ext}", destination(port, *ip)),
        );
    }
    if let Some(node_port) = port.node_port {
        let comment = comment(&port.name);
        rules.nat.rule(
            chain::NODE_PORTS,
            format!("{comment} {} -j {ext}", at_node(node_port)),
        );
    }
    match port.external_policy {
        TrafficPolicy::Cluster => {
            let comment = comment(&format!(
                "masquerade traffic for {} external destinations",
                port.name
            ));
            rules
                .nat
                .rule(&ext, format!("{comment} -j {}", chain::MARK_MASQ));
            rules.nat.rule(&ext, format!("-j {}", chain::service(port)));
        }
        TrafficPolicy::Local => local(rules, config, port, reachable),
    }
}

/// Keeps the client's address: only this node's endpoints may answer, except to clients inside.
fn local(rules: &mut Ruleset, config: &Config, port: &ServicePort, reachable: &Reachable<'_>) {
    let (ext, svc) = (chain::external(port), chain::service(port));
    if let Some(cidr) = config.cluster_cidr {
        let comment = comment(&format!(
            "pod traffic for {} external destinations",
            port.name
        ));
        rules
            .nat
            .rule(&ext, format!("{comment} -s {cidr} -j {svc}"));
    }
    let comment = comment(&format!(
        "masquerade LOCAL traffic for {} external destinations",
        port.name
    ));
    rules.nat.rule(
        &ext,
        format!(
            "{comment} -m addrtype --src-type LOCAL -j {}",
            chain::MARK_MASQ
        ),
    );
    rules
        .nat
        .rule(&ext, format!("-m addrtype --src-type LOCAL -j {svc}"));
    if reachable
        .local
        .as_ref()
        .is_some_and(|local| !local.is_empty())
    {
        rules.nat.rule(&ext, format!("-j {}", chain::local(port)));
    }
}
