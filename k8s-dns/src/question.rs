//! What a name inside the cluster's domain asks for. Pure, and case-insensitive.
//!
//! Source: Kubernetes DNS-Based Service Discovery, specification 1.1.0.

use std::net::Ipv4Addr;

/// The meaning of a name, before anything is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The domain itself, or a name between it and the names below: it exists, and has no records.
    Apex,
    /// `dns-version`: which specification is spoken.
    Version,
    /// `NAMESPACE.svc`, `NAMESPACE.pod`: exists as the namespace does.
    Namespace(String),
    /// `SERVICE.NAMESPACE.svc`.
    Service {
        /// The service's name.
        service: String,
        /// Its namespace.
        namespace: String,
    },
    /// `_PORT._PROTOCOL.SERVICE.NAMESPACE.svc`.
    Port {
        /// Name of the port.
        port: String,
        /// `tcp`, `udp` or `sctp`.
        protocol: String,
        /// The service's name.
        service: String,
        /// Its namespace.
        namespace: String,
    },
    /// `HOSTNAME.SERVICE.NAMESPACE.svc`: one endpoint of a headless service.
    Endpoint {
        /// The endpoint's hostname, or its address with dashes.
        hostname: String,
        /// The service's name.
        service: String,
        /// Its namespace.
        namespace: String,
    },
    /// `1-2-3-4.NAMESPACE.pod`.
    Pod {
        /// The address that the name spells.
        address: Ipv4Addr,
        /// The namespace.
        namespace: String,
    },
    /// Nothing that the specification knows.
    Nothing,
}

impl Question {
    /// Reads the labels in front of the domain, leftmost first, in lower case.
    pub fn parse(labels: &[&str]) -> Question {
        let own = |text: &str| text.to_owned();
        match labels {
            [] | ["svc"] | ["pod"] => Question::Apex,
            ["dns-version"] => Question::Version,
            [namespace, "svc" | "pod"] => Question::Namespace(own(namespace)),
            [service, namespace, "svc"] => Question::Service {
                service: own(service),
                namespace: own(namespace),
            },
            [port, protocol, service, namespace, "svc"] => {
                match (port.strip_prefix('_'), protocol.strip_prefix('_')) {
                    (Some(port), Some(protocol)) => Question::Port {
                        port: own(port),
                        protocol: own(protocol),
                        service: own(service),
                        namespace: own(namespace),
                    },
                    _ => Question::Nothing,
                }
            }
            // The name between a service and its ports.
            [protocol, service, namespace, "svc"] if protocol.starts_with('_') => {
                Question::Service {
                    service: own(service),
                    namespace: own(namespace),
                }
            }
            [hostname, service, namespace, "svc"] => Question::Endpoint {
                hostname: own(hostname),
                service: own(service),
                namespace: own(namespace),
            },
            [address, namespace, "pod"] => match address.replace('-', ".").parse() {
                Ok(address) => Question::Pod {
                    address,
                    namespace: own(namespace),
                },
                Err(_) => Question::Nothing,
            },
            _ => Question::Nothing,
        }
    }
}

/// The address that `4.3.2.1.in-addr.arpa` asks about.
pub fn reverse(labels: &[&str]) -> Option<Ipv4Addr> {
    let [d, c, b, a, "in-addr", "arpa"] = labels else {
        return None;
    };
    format!("{a}.{b}.{c}.{d}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        let labels: Vec<&str> = name.split('.').filter(|label| !label.is_empty()).collect();
        assert_eq!(
            format!("{:?}", Question::parse(&labels)),
            expected,
            "{name}"
        );
    }

    #[test]
    fn names_mean_what_the_specification_says() {
        check("", "Apex");
        check("svc", "Apex");
        check("dns-version", "Version");
        check("default.svc", r#"Namespace("default")"#);
        check(
            "web.default.svc",
            r#"Service { service: "web", namespace: "default" }"#,
        );
        check(
            "_http._tcp.web.default.svc",
            r#"Port { port: "http", protocol: "tcp", service: "web", namespace: "default" }"#,
        );
        check(
            "web-0.web.default.svc",
            r#"Endpoint { hostname: "web-0", service: "web", namespace: "default" }"#,
        );
        check(
            "10-244-0-2.default.pod",
            r#"Pod { address: 10.244.0.2, namespace: "default" }"#,
        );
        check("host.default.pod", "Nothing");
        check("a.b.c.d.e.f", "Nothing");
        check("web", "Nothing");
    }

    #[test]
    fn reverse_names_spell_addresses_backwards() {
        assert_eq!(
            reverse(&["7", "0", "96", "10", "in-addr", "arpa"]),
            Some([10, 96, 0, 7].into())
        );
        assert_eq!(reverse(&["0", "96", "10", "in-addr", "arpa"]), None);
        assert_eq!(reverse(&["x", "0", "96", "10", "in-addr", "arpa"]), None);
    }
}
