//! ServiceCIDR: a network from which services get their addresses (KEP-1880).

use crate::api::{Field, IMMUTABLE, NameRule, Rules};
use crate::ip::{self, Network};

/// Rules of `networking.k8s.io/v1` `ServiceCIDR`.
pub struct ServiceCIDR;

impl Rules for ServiceCIDR {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check_create(&self, object: &Field) {
        check_cidrs(&object.get("spec").get("cidrs"));
    }

    /// A network may get one of the other family beside it; nothing else changes.
    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let (cidrs, old) = (spec.get("cidrs"), old.get("cidrs"));
        let is_widened = old.len() == 1 && cidrs.len() == 2;
        if cidrs.len() != old.len() && !is_widened {
            return cidrs.invalid(IMMUTABLE);
        }
        for (cidr, old) in cidrs.items().zip(old.items()) {
            cidr.must_not_change(&old);
        }
        if is_widened {
            check_cidrs(&cidrs);
        }
    }
}

fn check_cidrs(cidrs: &Field) {
    match cidrs.len() {
        0 => return cidrs.required("at least one CIDR required"),
        1 | 2 => {}
        _ => return cidrs.invalid("may only hold up to 2 values"),
    }
    for cidr in cidrs.items() {
        cidr.invalid_for(ip::network_faults(cidr.str()));
    }
    let mut networks = cidrs.items().map(|cidr| cidr.str().parse::<Network>());
    if let (Some(Ok(first)), Some(Ok(second))) = (networks.next(), networks.next())
        && first.address.is_ipv4() == second.address.is_ipv4()
    {
        cidrs.invalid(
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use crate::object::Object;
    use serde_json::json;

    fn cidrs(cidrs: &[&str]) -> Object {
        cluster_wide(json!({"spec": {"cidrs": cidrs}}))
    }

    #[test]
    fn there_is_one_network_of_each_family_at_most() {
        check_create(&ServiceCIDR, cidrs(&["10.0.0.0/24", "2001:db8::/64"]), &[]);
        check_create(
            &ServiceCIDR,
            cidrs(&[]),
            &["spec.cidrs: Required value: at least one CIDR required"],
        );
        check_create(
            &ServiceCIDR,
            cidrs(&["10.0.0.0/24", "10.0.1.0/24"]),
            &[
                r#"spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"#,
            ],
        );
    }

    #[test]
    fn a_second_family_may_be_added() {
        let one = || cidrs(&["10.0.0.0/24"]);
        check_update(
            &ServiceCIDR,
            one(),
            cidrs(&["10.0.0.0/24", "2001:db8::/64"]),
            &[],
        );
        check_update(
            &ServiceCIDR,
            one(),
            cidrs(&["10.0.1.0/24"]),
            &[r#"spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable"#],
        );
        check_update(
            &ServiceCIDR,
            cidrs(&["10.0.0.0/24", "2001:db8::/64"]),
            one(),
            &[r#"spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable"#],
        );
    }
}
