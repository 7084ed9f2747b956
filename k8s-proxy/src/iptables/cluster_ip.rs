//! Rules of a virtual address: catch, spread, rewrite.

use std::net::Ipv4Addr;

use crate::{
    iptables::{chain, rules::Config, writer::Ruleset},
    state::{Endpoint, ServicePort, TrafficPolicy},
    topology::Reachable,
};

/// Catches the cluster IP, or refuses it while no endpoint takes traffic.
pub(super) fn catch(
    rules: &mut Ruleset,
    config: &Config,
    port: &ServicePort,
    reachable: &Reachable<'_>,
) {
    let (target, endpoints) = match port.internal_policy {
        TrafficPolicy::Cluster => (chain::service(port), Some(&reachable.cluster)),
        TrafficPolicy::Local => (chain::local(port), reachable.local.as_ref()),
    };
    let destination = destination(port, port.cluster_ip);
    if !reachable.has_any {
        return refuse(rules, chain::SERVICES, port, &destination);
    }
    if endpoints.is_none_or(Vec::is_empty) {
        // There are endpoints, but none on this node: traffic that must stay here is dropped.
        let comment = comment(&format!("{} has no local endpoints", port.name));
        return rules
            .filter
            .rule(chain::SERVICES, format!("{comment} {destination} -j DROP"));
    }
    let comment = comment(&format!("{} cluster IP", port.name));
    rules.nat.rule(
        chain::SERVICES,
        format!("{comment} {destination} -j {target}"),
    );
    if let Some(cidr) = config.cluster_cidr {
        // From outside the pod network: the answer has to come back through this node.
        rules.nat.rule(
            &target,
            format!(
                "{comment} {destination} ! -s {cidr} -j {}",
                chain::MARK_MASQ
            ),
        );
    }
}

/// The refusal that a client sees as "connection refused" rather than a timeout.
pub(super) fn refuse(rules: &mut Ruleset, chain: &str, port: &ServicePort, destination: &str) {
    let comment = comment(&format!("{} has no endpoints", port.name));
    rules
        .filter
        .rule(chain, format!("{comment} {destination} -j REJECT"));
}

/// Spreads over endpoints in equal shares, after those that a client may be stuck to.
pub(super) fn spread(
    rules: &mut Ruleset,
    target: &str,
    port: &ServicePort,
    endpoints: &[&Endpoint],
) {
    if let Some(seconds) = port.affinity_seconds {
        for endpoint in endpoints {
            let sep = chain::endpoint(port, endpoint);
            let recent = format!("-m recent --name {sep} --rcheck --seconds {seconds} --reap");
            rules
                .nat
                .rule(target, format!("{} {recent} -j {sep}", to(port, endpoint)));
        }
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let left = endpoints.len() - index;
        let sep = chain::endpoint(port, endpoint);
        // The last one takes what the others left.
        let share = match left {
            1 => String::new(),
            _ => format!(
                " -m statistic --mode random --probability {:.10}",
                1.0 / left as f64
            ),
        };
        rules
            .nat
            .rule(target, format!("{}{share} -j {sep}", to(port, endpoint)));
    }
}

/// The chain of one endpoint: a pod that reaches itself through its service needs another source.
pub(super) fn endpoint(rules: &mut Ruleset, port: &ServicePort, endpoint: &Endpoint) {
    let sep = chain::endpoint(port, endpoint);
    if rules.nat.chains.contains_key(&sep) {
        return;
    }
    let comment = comment(&port.name);
    rules.nat.rule(
        &sep,
        format!("{comment} -s {}/32 -j {}", endpoint.ip, chain::MARK_MASQ),
    );
    let protocol = port.protocol.name();
    let remember = match port.affinity_seconds {
        Some(_) => format!(" -m recent --name {sep} --set"),
        None => String::new(),
    };
    rules.nat.rule(
        &sep,
        format!(
            "{comment} -p {protocol}{remember} -m {protocol} -j DNAT --to-destination {}:{}",
            endpoint.ip, endpoint.port
        ),
    );
}

/// Matches a service port at an address.
pub(super) fn destination(port: &ServicePort, ip: Ipv4Addr) -> String {
    let protocol = port.protocol.name();
    format!(
        "-m {protocol} -p {protocol} -d {ip}/32 --dport {}",
        port.port
    )
}

pub(super) fn comment(text: &str) -> String {
    format!("-m comment --comment \"{text}\"")
}

fn to(port: &ServicePort, endpoint: &Endpoint) -> String {
    comment(&format!(
        "{} -> {}:{}",
        port.name, endpoint.ip, endpoint.port
    ))
}
