//! A pod's resolver configuration, by its DNS policy. Pure.

use k8s_openapi::api::core::v1::{PodDNSConfig, PodSpec};

use crate::cri::api::DnsConfig;

/// What a node knows about names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolver {
    /// The cluster's DNS servers.
    pub(crate) cluster: Vec<String>,
    /// The cluster's domain.
    pub(crate) domain: String,
    /// The node's own configuration.
    pub(crate) host: DnsConfig,
}

/// The node's resolver configuration, parsed.
pub(crate) fn parse(resolv_conf: &str) -> DnsConfig {
    let mut config = DnsConfig::default();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => config.servers.extend(words.next()),
            Some("search" | "domain") => {
                config.searches = words.filter(|word| word != ".").collect()
            }
            Some("options") => config.options = words.collect(),
            _ => {}
        }
    }
    config
}

/// The resolver configuration of a pod.
pub(crate) fn config(namespace: &str, spec: &PodSpec, resolver: &Resolver) -> DnsConfig {
    let policy = spec.dns_policy.as_deref().unwrap_or("ClusterFirst");
    let uses_cluster = match policy {
        "ClusterFirst" => spec.host_network != Some(true),
        "ClusterFirstWithHostNet" => true,
        _ => false,
    };
    let base = match policy {
        "None" => DnsConfig::default(),
        _ if uses_cluster && !resolver.cluster.is_empty() => {
            let domain = &resolver.domain;
            let own = [
                format!("{namespace}.svc.{domain}"),
                format!("svc.{domain}"),
                domain.clone(),
            ];
            DnsConfig {
                servers: resolver.cluster.clone(),
                searches: own
                    .into_iter()
                    .chain(resolver.host.searches.iter().cloned())
                    .collect(),
                options: vec!["ndots:5".into()],
            }
        }
        _ => resolver.host.clone(),
    };
    match &spec.dns_config {
        Some(own) => merge(base, own),
        None => base,
    }
}

fn merge(mut base: DnsConfig, own: &PodDNSConfig) -> DnsConfig {
    append(&mut base.servers, own.nameservers.iter().flatten().cloned());
    append(&mut base.searches, own.searches.iter().flatten().cloned());
    for option in own.options.iter().flatten() {
        let name = option.name.as_deref().unwrap_or_default();
        let text = match &option.value {
            Some(value) if !value.is_empty() => format!("{name}:{value}"),
            _ => name.to_owned(),
        };
        base.options
            .retain(|known| known.split(':').next() != Some(name));
        base.options.push(text);
    }
    base
}

fn append(list: &mut Vec<String>, more: impl Iterator<Item = String>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(spec: serde_json::Value, servers: &[&str], searches: &[&str], options: &[&str]) {
        let mut spec = spec;
        spec["containers"] = json!([]);
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let resolver = Resolver {
            cluster: vec!["10.96.0.10".into()],
            domain: "cluster.local".into(),
            host: parse("# x\nnameserver 1.1.1.1\nsearch corp.example .\noptions timeout:1\n"),
        };
        let config = config("ns", &spec, &resolver);
        assert_eq!(config.servers, servers);
        assert_eq!(config.searches, searches);
        assert_eq!(config.options, options);
    }

    #[test]
    fn the_policy_chooses_between_cluster_node_and_nothing() {
        let cluster = [
            "ns.svc.cluster.local",
            "svc.cluster.local",
            "cluster.local",
            "corp.example",
        ];
        check(json!({}), &["10.96.0.10"], &cluster, &["ndots:5"]);
        check(
            json!({"dnsPolicy": "Default"}),
            &["1.1.1.1"],
            &["corp.example"],
            &["timeout:1"],
        );
        check(
            json!({"hostNetwork": true}),
            &["1.1.1.1"],
            &["corp.example"],
            &["timeout:1"],
        );
        let policy = json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"});
        check(policy, &["10.96.0.10"], &cluster, &["ndots:5"]);
        let own = json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["9.9.9.9"], "searches": ["a.b"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}});
        check(own, &["9.9.9.9"], &["a.b"], &["ndots:2", "edns0"]);
    }
}
