//! Kernel settings without which rules have no effect. Per network namespace.

use std::{fs, path::Path};

const SETTINGS: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "1"),
    // Without it, traffic between pods of one bridge passes the rules by.
    ("net/bridge/bridge-nf-call-iptables", "1"),
    // Node ports answer on 127.0.0.1 as well; KUBE-FIREWALL keeps outsiders away.
    ("net/ipv4/conf/all/route_localnet", "1"),
];

/// Sets them where they differ; one that can't be set is logged, since some kernels lack some.
pub(crate) fn ensure() {
    for (name, wanted) in SETTINGS {
        let path = Path::new("/proc/sys").join(name);
        let current = fs::read_to_string(&path).unwrap_or_default();
        if current.trim() == *wanted {
            continue;
        }
        if let Err(error) = fs::write(&path, wanted) {
            tracing::warn!(setting = name, wanted, %error, "kernel setting could not be changed");
        }
    }
}
