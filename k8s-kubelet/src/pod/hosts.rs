//! A pod's /etc/hosts. Pure.

use k8s_openapi::api::core::v1::PodSpec;

/// The file of a pod with a network of its own: its address and names, and its aliases.
pub(crate) fn of_pod(spec: &PodSpec, ip: &str, hostname: &str, domain: Option<&str>) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    match domain {
        Some(domain) => text.push_str(&format!("{ip}\t{hostname}.{domain}\t{hostname}\n")),
        None => text.push_str(&format!("{ip}\t{hostname}\n")),
    }
    text + &aliases(spec)
}

/// The file of a pod on the host's network: the host's, and its aliases.
pub(crate) fn of_host(spec: &PodSpec, host: &str) -> String {
    format!(
        "# Kubernetes-managed hosts file (host network).\n{host}{}",
        aliases(spec)
    )
}

fn aliases(spec: &PodSpec) -> String {
    let mut text = String::new();
    for alias in spec.host_aliases.iter().flatten() {
        if text.is_empty() {
            text.push_str("\n# Entries added by HostAliases.\n");
        }
        let names = alias.hostnames.clone().unwrap_or_default().join("\t");
        text.push_str(&format!("{}\t{names}\n", alias.ip));
    }
    text
}
