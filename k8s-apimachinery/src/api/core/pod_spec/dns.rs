//! How names are resolved inside the pod.

use super::check_ip;
use crate::api::field::Field;
use crate::name;

const POLICIES: [&str; 4] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_BYTES: usize = 2048;

/// Checks `dnsPolicy` and `dnsConfig`.
pub(super) fn check(spec: &Field) {
    let policy = spec.get("dnsPolicy");
    policy.must_be_one_of(&POLICIES);
    let config = spec.get("dnsConfig");
    let nameservers = config.get("nameservers");
    if policy.str() == "None" && !config.is_set() {
        config.required("must provide `dnsConfig` when `dnsPolicy` is None");
        return;
    }
    if policy.str() == "None" && nameservers.is_empty() {
        nameservers.required("must provide at least one DNS nameserver when `dnsPolicy` is None");
        return;
    }
    if nameservers.len() > MAX_NAMESERVERS {
        nameservers.invalid("must not have more than 3 nameservers");
    }
    nameservers.items().for_each(|ip| check_ip(&ip));
    check_searches(&config.get("searches"));
    for option in config.get("options").items() {
        if option.get("name").is_empty() {
            option.required("must not be empty");
        }
    }
}

fn check_searches(searches: &Field) {
    if searches.len() > MAX_SEARCHES {
        searches.invalid("must not have more than 32 search paths");
    }
    let bytes: usize = searches.items().map(|search| search.str().len() + 1).sum();
    if bytes > MAX_SEARCH_BYTES + 1 {
        searches.invalid(
            "must not have more than 2048 characters (including spaces) in the search list",
        );
    }
    for search in searches.items() {
        // A trailing dot marks the name as absolute; the root alone is a search path as well; and
        // underscores count as letters, since service records have them.
        let domain = search.str().strip_suffix('.').unwrap_or(search.str());
        if search.str() != "." {
            search.invalid_for(name::dns1123_subdomain(&domain.replace('_', "x")));
        }
    }
}
