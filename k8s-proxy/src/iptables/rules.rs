//! From service ports to the whole of the rules. Pure: equal input gives equal text.

use std::fmt;

use crate::{
    iptables::{chain, cluster_ip, node_port, writer::Ruleset},
    state::ServicePort,
    topology::{self, Reachable},
};

/// The bit that marks packets whose source is to be rewritten, as kube-proxy's default has it.
const MARK: &str = "0x4000";

/// An IPv4 network, such as the pods'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// First address.
    pub address: std::net::Ipv4Addr,
    /// Bits of the prefix, 0 to 32.
    pub prefix: u8,
}

impl std::str::FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
            Some(Cidr {
                address: address.parse().ok()?,
                prefix,
            })
        });
        parsed.ok_or_else(|| format!("{text} is no IPv4 network"))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// What the rules depend on beside services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The pods' network. Packets to services from elsewhere get a new source, so that answers come
    /// back the same way; without it only node ports do.
    pub cluster_cidr: Option<Cidr>,
}

/// All rules for these service ports.
pub fn render(config: &Config, ports: &[ServicePort]) -> Ruleset {
    let mut rules = Ruleset::default();
    for chain in [chain::SERVICES, chain::EXTERNAL] {
        rules.filter.chain(chain);
    }
    for chain in [chain::SERVICES, chain::NODE_PORTS] {
        rules.nat.chain(chain);
    }
    fixed(&mut rules);
    for port in ports {
        let reachable = topology::reachable(port);
        cluster_ip::catch(&mut rules, config, port, &reachable);
        node_port::catch(&mut rules, config, port, &reachable);
        balance(&mut rules, port, &reachable);
    }
    // Last, so that virtual addresses win over ports at local ones.
    let comment = cluster_ip::comment(
        "kubernetes service nodeports; NOTE: this must be the last rule in this chain",
    );
    rules.nat.rule(
        chain::SERVICES,
        format!(
            "{comment} -m addrtype --dst-type LOCAL -j {}",
            chain::NODE_PORTS
        ),
    );
    rules
}

/// The chains that other rules sent traffic to, each over the endpoints that it may use.
fn balance(rules: &mut Ruleset, port: &ServicePort, reachable: &Reachable<'_>) {
    let uses_service = port.internal_policy == crate::state::TrafficPolicy::Cluster
        || port.node_port.is_some()
        || !port.external_ips.is_empty();
    let service = chain::service(port);
    if reachable.has_any && uses_service {
        cluster_ip::spread(rules, &service, port, &reachable.cluster);
        reachable
            .cluster
            .iter()
            .for_each(|endpoint| cluster_ip::endpoint(rules, port, endpoint));
    }
    if let Some(local) = &reachable.local
        && !local.is_empty()
    {
        cluster_ip::spread(rules, &chain::local(port), port, local);
        local
            .iter()
            .for_each(|endpoint| cluster_ip::endpoint(rules, port, endpoint));
    }
}

/// What is there whatever the services are.
fn fixed(rules: &mut Ruleset) {
    let masquerade = chain::POSTROUTING;
    rules
        .nat
        .rule(chain::MARK_MASQ, format!("-j MARK --or-mark {MARK}"));
    rules.nat.rule(
        masquerade,
        format!("-m mark ! --mark {MARK}/{MARK} -j RETURN"),
    );
    // The mark comes off, since the packet may pass here again.
    rules
        .nat
        .rule(masquerade, format!("-j MARK --xor-mark {MARK}"));
    let comment = cluster_ip::comment("kubernetes service traffic requiring SNAT");
    rules.nat.rule(
        masquerade,
        format!("{comment} -j MASQUERADE --random-fully"),
    );

    rules
        .filter
        .rule(chain::FORWARD, "-m conntrack --ctstate INVALID -j DROP");
    let comment = cluster_ip::comment("kubernetes forwarding rules");
    rules.filter.rule(
        chain::FORWARD,
        format!("{comment} -m mark --mark {MARK}/{MARK} -j ACCEPT"),
    );
    rules.filter.rule(
        chain::FORWARD,
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    );
    let comment = cluster_ip::comment("block incoming localnet connections");
    let outside = "! -s 127.0.0.0/8 -d 127.0.0.0/8";
    rules.filter.rule(
        chain::FIREWALL,
        format!("{comment} {outside} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"),
    );
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{
        iptables::trace::{Outcome, Packet, walk},
        state::TrafficPolicy,
        testing::{endpoint, port},
    };

    fn config() -> Config {
        Config {
            cluster_cidr: Some("10.244.0.0/16".parse().unwrap()),
        }
    }

    /// Walks a packet through the rules of one service port.
    #[track_caller]
    fn check(port: &ServicePort, packet: Packet, expected: Outcome) {
        let rules = render(&config(), std::slice::from_ref(port));
        assert_eq!(
            walk(&rules, &packet),
            expected,
            "{packet:?} through\n{}",
            rules.since(&Ruleset::default())
        );
    }

    fn sent(to: &str, masquerade: bool) -> Outcome {
        Outcome::Sent {
            to: to.parse().unwrap(),
            masquerade,
        }
    }

    #[test]
    fn a_service_with_two_endpoints_reads_like_this() {
        let web = port("default/web:http")
            .node_port(30080)
            .endpoints([endpoint("10.244.0.2"), endpoint("10.244.1.2")]);
        expect_test::expect_file!["testdata/two-endpoints.txt"]
            .assert_eq(&render(&config(), &[web]).since(&Ruleset::default()));
    }

    #[test]
    fn pods_keep_their_source_and_others_are_masqueraded() {
        let web = port("default/web").endpoints([endpoint("10.244.0.2")]);
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.7", 80),
            sent("10.244.0.2:8080", false),
        );
        check(
            &web,
            Packet::tcp("192.0.2.1", "10.96.0.7", 80),
            sent("10.244.0.2:8080", true),
        );
    }

    #[test]
    fn a_pod_reaches_itself_through_its_service_under_another_source() {
        let web = port("default/web").endpoints([endpoint("10.244.0.2")]);
        check(
            &web,
            Packet::tcp("10.244.0.2", "10.96.0.7", 80),
            sent("10.244.0.2:8080", true),
        );
    }

    #[test]
    fn every_endpoint_takes_an_equal_share() {
        let web = port("default/web").endpoints([
            endpoint("10.244.0.2"),
            endpoint("10.244.0.3"),
            endpoint("10.244.0.4"),
        ]);
        for (dice, to) in [
            (0.1, "10.244.0.2:8080"),
            (0.5, "10.244.0.3:8080"),
            (0.9, "10.244.0.4:8080"),
        ] {
            let packet = Packet {
                dice,
                ..Packet::tcp("10.244.0.9", "10.96.0.7", 80)
            };
            check(&web, packet, sent(to, false));
        }
    }

    #[test]
    fn without_endpoints_connections_are_refused() {
        let web = port("default/web").node_port(30080);
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.7", 80),
            Outcome::Rejected,
        );
        check(
            &web,
            Packet::tcp("192.0.2.1", "192.0.2.2", 30080).towards_this_node(),
            Outcome::Rejected,
        );
    }

    #[test]
    fn other_ports_and_addresses_pass() {
        let web = port("default/web")
            .node_port(30080)
            .endpoints([endpoint("10.244.0.2")]);
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.7", 81),
            Outcome::Passed,
        );
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.8", 80),
            Outcome::Passed,
        );
        check(
            &web,
            Packet::tcp("192.0.2.1", "192.0.2.2", 30080),
            Outcome::Passed,
        );
    }

    #[test]
    fn node_ports_answer_at_this_nodes_addresses() {
        let web = port("default/web")
            .node_port(30080)
            .endpoints([endpoint("10.244.0.2")]);
        let packet = Packet::tcp("192.0.2.1", "192.0.2.2", 30080).towards_this_node();
        check(&web, packet, sent("10.244.0.2:8080", true));
    }

    #[test]
    fn local_external_traffic_keeps_its_source_and_stays_here() {
        let mut web = port("default/web")
            .node_port(30080)
            .endpoints([endpoint("10.244.0.2"), endpoint("10.244.1.2")]);
        web.external_policy = TrafficPolicy::Local;
        web.endpoints[1].is_local = true;
        let outside = Packet::tcp("192.0.2.1", "192.0.2.2", 30080).towards_this_node();
        check(&web, outside.clone(), sent("10.244.1.2:8080", false));
        web.endpoints[1].is_local = false;
        check(&web, outside, Outcome::Passed);
        // Clients inside still reach all endpoints.
        check(
            &web,
            Packet::tcp("10.244.0.9", "192.0.2.2", 30080).towards_this_node(),
            sent("10.244.0.2:8080", false),
        );
    }

    #[test]
    fn local_internal_traffic_without_local_endpoints_is_dropped() {
        let mut web = port("default/web").endpoints([endpoint("10.244.0.2")]);
        web.internal_policy = TrafficPolicy::Local;
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.7", 80),
            Outcome::Dropped,
        );
        web.endpoints[0].is_local = true;
        check(
            &web,
            Packet::tcp("10.244.0.9", "10.96.0.7", 80),
            sent("10.244.0.2:8080", false),
        );
    }

    #[test]
    fn external_addresses_are_caught() {
        let mut web = port("default/web").endpoints([endpoint("10.244.0.2")]);
        web.external_ips = vec!["198.51.100.4".parse().unwrap()];
        check(
            &web,
            Packet::tcp("192.0.2.1", "198.51.100.4", 80),
            sent("10.244.0.2:8080", true),
        );
    }

    #[test]
    fn clients_stick_to_their_endpoint() {
        let mut web =
            port("default/web").endpoints([endpoint("10.244.0.2"), endpoint("10.244.0.3")]);
        web.affinity_seconds = Some(10_800);
        let second = chain::endpoint(&web, &web.endpoints[1]);
        let packet = Packet {
            recent: vec![second],
            dice: 0.0,
            ..Packet::tcp("10.244.0.9", "10.96.0.7", 80)
        };
        check(&web, packet, sent("10.244.0.3:8080", false));
    }

    #[test]
    fn a_change_of_one_service_leaves_the_others_chains_alone() {
        let first = port("default/a").endpoints([endpoint("10.244.0.2")]);
        let mut second = port("default/b").endpoints([endpoint("10.244.0.3")]);
        second.cluster_ip = [10, 96, 0, 8].into();
        let before = render(&config(), &[first.clone(), second.clone()]);
        second.endpoints.push(endpoint("10.244.0.4"));
        let after = render(&config(), &[first, second]);
        expect![[r#"
            *nat
            :KUBE-SEP-BXUN5LISHZMTQXDV - [0:0]
            :KUBE-SVC-W2ANRT3464REVKG6 - [0:0]
            COMMIT
        "#]]
        .assert_eq(
            &after
                .since(&before)
                .lines()
                .filter(|line| !line.starts_with("-A"))
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        );
    }
}
