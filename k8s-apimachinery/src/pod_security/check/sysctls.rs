//! Only those kernel parameters are set that concern the pod alone.

use crate::pod_security::{Subject, Violation, subject::text};

const SAFE: [&str; 5] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
];
const SAFE_SINCE_27: [&str; 1] = ["net.ipv4.ip_local_reserved_ports"];
const SAFE_SINCE_29: [&str; 4] = [
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];
const SAFE_SINCE_32: [&str; 2] = ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];

pub(super) fn check(subject: &Subject) -> Option<Violation> {
    check_but(subject, &[&SAFE])
}

pub(super) fn check_27(subject: &Subject) -> Option<Violation> {
    check_but(subject, &[&SAFE, &SAFE_SINCE_27])
}

pub(super) fn check_29(subject: &Subject) -> Option<Violation> {
    check_but(subject, &[&SAFE, &SAFE_SINCE_27, &SAFE_SINCE_29])
}

pub(super) fn check_32(subject: &Subject) -> Option<Violation> {
    check_but(
        subject,
        &[&SAFE, &SAFE_SINCE_27, &SAFE_SINCE_29, &SAFE_SINCE_32],
    )
}

fn check_but(subject: &Subject, safe: &[&[&str]]) -> Option<Violation> {
    let set = subject.security()["sysctls"].as_array();
    let names = set
        .into_iter()
        .flatten()
        .map(|sysctl| text(&sysctl["name"]));
    let unsafe_: Vec<&str> = names
        .filter(|name| !safe.iter().any(|safe| safe.contains(name)))
        .collect();
    (!unsafe_.is_empty()).then(|| Violation {
        reason: "forbidden sysctls",
        detail: unsafe_.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::pod_security::testing;

    fn sysctls(names: &[&str]) -> Value {
        let set: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "value": "1"}))
            .collect();
        json!({"securityContext": {"sysctls": set}})
    }

    #[test]
    fn more_parameters_became_safe_over_time() {
        let names = |lists: &[&[&'static str]]| sysctls(&lists.concat());
        testing::check(check, names(&[&SAFE]), "");
        testing::check(
            check,
            names(&[&SAFE_SINCE_27, &SAFE]),
            "forbidden sysctls (net.ipv4.ip_local_reserved_ports)",
        );
        testing::check(check_27, names(&[&SAFE_SINCE_27, &SAFE]), "");
        testing::check(
            check_27,
            names(&[&SAFE_SINCE_29]),
            "forbidden sysctls (net.ipv4.tcp_keepalive_time, net.ipv4.tcp_fin_timeout, \
             net.ipv4.tcp_keepalive_intvl, net.ipv4.tcp_keepalive_probes)",
        );
        testing::check(
            check_29,
            names(&[&SAFE_SINCE_29, &SAFE_SINCE_27, &SAFE]),
            "",
        );
        testing::check(
            check_29,
            names(&[&SAFE_SINCE_32]),
            "forbidden sysctls (net.ipv4.tcp_rmem, net.ipv4.tcp_wmem)",
        );
        testing::check(
            check_32,
            names(&[&SAFE_SINCE_32, &SAFE_SINCE_29, &SAFE]),
            "",
        );
        testing::check(
            check_32,
            sysctls(&["kernel.msgmax"]),
            "forbidden sysctls (kernel.msgmax)",
        );
    }
}
