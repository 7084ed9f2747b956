//! Cluster IPs: which services have one, and which one it is.
//!
//! Addresses come from the networks of the `ServiceCIDR`s (KEP-1880). Each one that is taken is an `IPAddress` called
//! like it, committed with the service in the same transaction; so two services never have the same.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use k8s_apimachinery::{Object, Value, ip::Network};
use k8s_store::{Compare, Op};
use serde_json::json;

use super::Refusal;
use crate::{
    error::Cause,
    registry::{Effects, View, cell, entry, environment::new_uid, key, networking, rfc3339},
};

const GROUP: &str = "networking.k8s.io";
/// Fewer addresses than this at the start of a network are never left to explicit requests, and never more than that.
const RESERVED: (u128, u128) = (16, 256);

/// The addresses while a change of one service is being decided.
pub(super) struct Addresses<'a> {
    view: &'a View<'a>,
    networks: Vec<Network>,
    namespace: String,
    name: String,
    /// What the service holds already, and may keep.
    held: Option<IpAddr>,
    /// What it is to hold after the change.
    wanted: Option<IpAddr>,
}

impl<'a> Addresses<'a> {
    /// The addresses that the service called `name` can have; `old` is how it was.
    pub(super) fn new(
        view: &'a View<'a>,
        namespace: &str,
        name: &str,
        old: Option<&Object>,
    ) -> Self {
        Addresses {
            networks: networks(view),
            view,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            held: old.and_then(held),
            wanted: None,
        }
    }

    /// Gives the service the address that it asks for, or any.
    pub(super) fn assign(&mut self, service: &mut Object) -> Result<(), Refusal> {
        if service.str(&["spec", "type"]) == Some("ExternalName") {
            return Ok(());
        }
        check_families(service)?;
        let address = match address_of(service).map(str::to_owned) {
            Some(none) if none == "None" => none,
            Some(wanted) => self.take(&wanted)?,
            None => self.take_any()?,
        };
        service.set(&["spec", "clusterIP"], address.as_str().into());
        service.set(&["spec", "clusterIPs"], Value::Array(vec![address.into()]));
        Ok(())
    }

    /// Takes, or keeps, a certain one.
    fn take(&mut self, wanted: &str) -> Result<String, Cause> {
        let refused = |why: String| {
            Cause::new(
                "FieldValueInvalid",
                format!("Invalid value: [{wanted:?}]: failed to allocate IP {wanted}: {why}"),
                "spec.clusterIPs",
            )
        };
        let address: Option<IpAddr> = wanted.parse().ok();
        let network = address.and_then(|address| {
            let mut networks = self.networks.iter();
            networks.find(|network| network.contains(address))
        });
        let (Some(address), Some(network)) = (address, network) else {
            let why = "the provided network does not match the current range";
            return Err(refused(why.to_owned()));
        };
        if !(1..=usable(*network)).contains(&offset(*network, address)) {
            return Err(refused(format!(
                "the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {network}"
            )));
        }
        if self.held != Some(address) && self.is_taken(address) {
            return Err(refused("provided IP is already allocated".to_owned()));
        }
        self.wanted = Some(address);
        Ok(address.to_string())
    }

    /// Takes one that is free, at random, so that racing services rarely meet. The first ones of each network, `.1` and
    /// `.10` among them, come last: they are for those who ask for a certain one.
    fn take_any(&mut self) -> Result<String, Refusal> {
        let random = self.view.config().environment.random();
        let networks = self.networks.iter().filter(|n| n.address.is_ipv4());
        let ranges = networks.flat_map(|network| {
            let count = usable(*network);
            let (least, most) = RESERVED;
            let reserved = (count / 16).clamp(least, most).min(count);
            let late = reserved + 1..=count;
            [(late, *network), (1..=reserved, *network)]
        });
        let free = ranges.into_iter().find_map(|(range, network)| {
            let count = (range.end() + 1).checked_sub(*range.start())?;
            let first = random.checked_rem(count)?;
            let round = (0..count).map(|step| at(network, range.start() + (first + step) % count));
            round.into_iter().find(|address| !self.is_taken(*address))
        });
        let full = "failed to allocate a serviceIP: range is full";
        let free = free.ok_or_else(|| Refusal::Exhausted(full.to_owned()))?;
        self.wanted = Some(free);
        Ok(free.to_string())
    }

    fn is_taken(&self, address: IpAddr) -> bool {
        self.view.is_taken(&key_of(address))
    }

    /// What takes the new one and gives back the old one.
    pub(super) fn effects(&self) -> Effects {
        let mut effects = Effects::default();
        if self.wanted == self.held {
            return effects;
        }
        if let Some(address) = self.wanted {
            let key = key_of(address);
            effects.compares.push(Compare::Absent(key.clone()));
            let value = entry::encode(&self.claim(address));
            effects.ops.push(Op::Put { key, value });
        }
        if let Some(address) = self.held {
            let key = key_of(address);
            effects.ops.push(Op::Delete { key });
        }
        effects
    }

    /// The object that says who has the address.
    fn claim(&self, address: IpAddr) -> Object {
        let environment = &*self.view.config().environment;
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let claim = json!({
            "kind": "IPAddress",
            "apiVersion": "networking.k8s.io/v1",
            "metadata": {
                "name": address.to_string(),
                "uid": new_uid(environment),
                "creationTimestamp": rfc3339(environment.now()),
                "labels": {
                    "ipaddress.kubernetes.io/ip-family": family,
                    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
                },
            },
            "spec": {"parentRef": {
                "group": "",
                "resource": "services",
                "namespace": self.namespace,
                "name": self.name,
            }},
        });
        Object::from_value(claim).expect("an address is an object")
    }
}

/// The object that should say that the service has its address, if there is none.
pub(super) fn missing_claim(service: &Object, view: &View<'_>) -> Option<Object> {
    let address = held(service)?;
    let addresses = Addresses::new(view, service.namespace(), service.name(), Some(service));
    (!addresses.is_taken(address)).then(|| addresses.claim(address))
}

/// Whether services of this type have an address: all but external names, and but those that want none.
pub(super) fn has_address(service: &Object) -> bool {
    service.str(&["spec", "type"]) != Some("ExternalName") && address_of(service) != Some("None")
}

fn held(service: &Object) -> Option<IpAddr> {
    has_address(service).then_some(())?;
    address_of(service)?.parse().ok()
}

fn address_of(service: &Object) -> Option<&str> {
    let address = service.str(&["spec", "clusterIP"]);
    let first = || {
        let addresses = cell::items(service, &["spec", "clusterIPs"]);
        addresses.first()?.as_str()
    };
    let is_there = |text: &&str| !text.is_empty();
    address.filter(is_there).or_else(first).filter(is_there)
}

/// One family is served.
fn check_families(service: &Object) -> Result<(), Cause> {
    let invalid = |value: &str, why: &str, field: &str| {
        let message = format!("Invalid value: {value:?}: {why}");
        Err(Cause::new("FieldValueInvalid", message, field))
    };
    let has_selector = cell::count(service, &["spec", "selector"]) > 0;
    if address_of(service) == Some("None") && !has_selector {
        // Its endpoints are somebody else's, of whatever family.
        return Ok(());
    }
    if service.str(&["spec", "ipFamilyPolicy"]) == Some("RequireDualStack") {
        let why = "this cluster is not configured for dual-stack services";
        return invalid("RequireDualStack", why, "spec.ipFamilyPolicy");
    }
    let families = cell::items(service, &["spec", "ipFamilies"]);
    match families.iter().position(|family| family == "IPv6") {
        Some(at) => {
            let field = format!("spec.ipFamilies[{at}]");
            invalid("IPv6", "not configured on this cluster", &field)
        }
        None => Ok(()),
    }
}

/// The networks that addresses are taken from: of all `ServiceCIDR`s that aren't going and aren't known to be unready,
/// in the order of their names; the configured one where that kind isn't served.
fn networks(view: &View<'_>) -> Vec<Network> {
    if !view.serves(GROUP, "servicecidrs") {
        return vec![view.config().service_network.into()];
    }
    let objects = view.list(GROUP, "servicecidrs", "");
    let objects = objects.iter().map(|stored| stored.entry.object());
    objects
        .filter(is_open)
        .flat_map(|object| {
            let cidrs = cell::items(&object, &["spec", "cidrs"]).iter();
            cidrs
                .filter_map(|cidr| cidr.as_str()?.parse().ok())
                .collect::<Vec<Network>>()
        })
        .collect()
}

fn is_open(cidr: &Object) -> bool {
    let conditions = cell::items(cidr, &["status", "conditions"]);
    let is_unready = |each: &Value| each["type"] == "Ready" && each["status"] == "False";
    cidr.deletion_timestamp().is_none() && !conditions.iter().any(is_unready)
}

fn key_of(address: IpAddr) -> Bytes {
    key::object(&networking::ip_address::row(), "", &address.to_string())
}

/// How many addresses of a network services can have: neither its first nor, with IPv4, its last.
fn usable(network: Network) -> u128 {
    let last = offset(network, network.last());
    match network.address {
        IpAddr::V4(_) => last.saturating_sub(1),
        IpAddr::V6(_) => last,
    }
}

fn offset(network: Network, address: IpAddr) -> u128 {
    number(address).saturating_sub(number(network.first()))
}

fn at(network: Network, offset: u128) -> IpAddr {
    let number = number(network.first()) + offset;
    match network.address {
        IpAddr::V4(_) => Ipv4Addr::from(number as u32).into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::from(number).into(),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_end_of_a_network_is_an_address() {
        let network = |text: &str| text.parse::<Network>().expect("a network");
        assert_eq!(usable(network("10.0.0.0/30")), 2);
        assert_eq!(usable(network("10.0.0.0/31")), 0);
        assert_eq!(usable(network("10.0.0.0/32")), 0);
        assert_eq!(usable(network("2001:db8::/126")), 3);
        assert_eq!(at(network("10.0.0.0/30"), 2).to_string(), "10.0.0.2");
    }
}
