//! The addresses of a service inside the cluster, and their families.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{FIXED, is_headless};
use crate::api::Field;
use crate::api::core::pod_spec::check_ip;

/// Checks the addresses of any service but an external name.
pub(super) fn check(spec: &Field) {
    let type_ = spec.get("type").str();
    if type_ == "ExternalName" {
        return;
    }
    check_families(spec);
    let (ip, ips) = (spec.get("clusterIP"), spec.get("clusterIPs"));
    let first = ips.items().next().map(|first| first.str());
    if first.is_some_and(|first| !ip.is_empty() && first != ip.str()) {
        ips.invalid("first value must match `clusterIP`");
    }
    let mut are_addresses = true;
    for (at, ip) in ips.items().enumerate() {
        if at == 0 && ip.str() == "None" {
            if ips.len() > 1 {
                are_addresses = false;
                ips.invalid("'None' must be the first and only value");
            }
            continue;
        }
        are_addresses &= check_address(&ip);
    }
    if ips.is_empty() && !matches!(ip.str(), "" | "None") {
        check_address(&ip);
    }
    if ips.len() > 2 {
        ips.invalid("may only hold up to 2 values");
    }
    if are_addresses {
        check_address_families(spec, &ips);
    }
}

/// Reports that a service of this type has no address.
pub(super) fn refuse_headless(spec: &Field, type_: &str) {
    let why = format!("may not be set to 'None' for {type_} services");
    match spec.get("clusterIPs").items().next() {
        Some(first) => first.invalid(why),
        None => spec.get("clusterIP").invalid(why),
    }
}

/// Checks an address. Says whether it is one.
fn check_address(address: &Field) -> bool {
    check_ip(address);
    address.str().parse::<IpAddr>().is_ok()
}

fn check_families(spec: &Field) {
    let (families, policy) = (spec.get("ipFamilies"), spec.get("ipFamilyPolicy"));
    let mut seen = HashSet::new();
    for family in families.items() {
        family.must_be_one_of(&["IPv4", "IPv6"]);
        if !seen.insert(family.str()) {
            family.duplicate();
        }
    }
    policy.may_be_one_of(&["PreferDualStack", "RequireDualStack", "SingleStack"]);
    if policy.str() == "SingleStack" {
        for (list, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
            if spec.get(list).len() > 1 {
                policy.invalid(format!(
                    "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                ));
            }
        }
    }
}

/// Each address is of the family that stands in its place, and no two are of the same.
fn check_address_families(spec: &Field, ips: &Field) {
    let is_six = |ip: &Field| ip.str().contains(':');
    if ips.len() == 2 && ips.items().filter(|ip| is_six(ip)).count() != 1 {
        ips.invalid("may specify no more than one IP for each IP family");
    }
    if is_headless(spec) {
        return;
    }
    let families = spec.get("ipFamilies");
    for (at, (ip, family)) in ips.items().zip(families.items()).enumerate() {
        let actual = if is_six(&ip) { "IPv6" } else { "IPv4" };
        if family.str() != actual && matches!(family.str(), "IPv4" | "IPv6") {
            ip.invalid(format!(
                "expected an {} value as indicated by `ipFamilies[{at}]`",
                family.str()
            ));
        }
    }
}

/// What was allocated stays; a second address may come and go.
pub(super) fn check_update(spec: &Field, old: &Field) {
    let (ips, old_ips) = (spec.get("clusterIPs"), old.get("clusterIPs"));
    let (ip, old_ip) = (spec.get("clusterIP"), old.get("clusterIP"));
    if !old_ip.is_empty() && !ip.same_as(&old_ip) {
        match ips.items().next() {
            Some(first) => first.holding(&ips).invalid(FIXED),
            None => ip.invalid(FIXED),
        }
    } else if old_ips.len() > 1 && ips.len() > 1 && !ips.same_as(&old_ips) {
        ips.invalid(FIXED);
    }
    let (families, old_families) = (spec.get("ipFamilies"), old.get("ipFamilies"));
    let (first, old_first) = (families.items().next(), old_families.items().next());
    if let (Some(first), Some(old_first)) = (first, old_first)
        && !first.same_as(&old_first)
    {
        first.holding(&families).invalid(FIXED);
    }
}
