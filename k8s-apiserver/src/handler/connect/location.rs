//! Which address a request for `/proxy` is really for. Pure: from names, pods, services and their
//! endpoints to an address.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::{Endpoint, EndpointSlice},
};

use crate::ApiError;

/// What stands where a name is expected: `name`, `name:port` or `scheme:name:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Whether the scheme is `https`.
    pub(crate) is_tls: bool,
    /// The object's name.
    pub(crate) name: &'a str,
    /// A number or a name; empty if there is none.
    pub(crate) port: &'a str,
}

impl<'a> Reference<'a> {
    /// Reads a reference; `None` if it has no name, or a scheme that isn't served.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match parts[..] {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "" | "http" => false,
            "https" => true,
            _ => return None,
        };
        (!name.is_empty()).then_some(Reference { is_tls, name, port })
    }
}

/// An address, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) is_tls: bool,
    pub(super) address: SocketAddr,
}

impl Location {
    /// A port at an address; without a number, the scheme's own.
    fn new(is_tls: bool, address: IpAddr, port: &str) -> Result<Self, ApiError> {
        let port = match port {
            "" if is_tls => 443,
            "" => 80,
            port => port.parse().map_err(|_| {
                let message = format!("dial tcp: lookup tcp/{port}: unknown port");
                ApiError::ServiceUnavailable(format!("error trying to reach service: {message}"))
            })?,
        };
        Ok(Location {
            is_tls,
            address: SocketAddr::new(address, port),
        })
    }

    /// A port of a pod: the first that it declares, unless the request names one.
    pub(super) fn of_pod(pod: &Pod, reference: &Reference<'_>) -> Result<Self, ApiError> {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let declared = containers
            .filter_map(|container| container.ports.as_ref()?.first())
            .map(|port| port.container_port.to_string())
            .next();
        let port = match reference.port {
            "" => declared.unwrap_or_default(),
            port => port.to_owned(),
        };
        let ip = pod
            .status
            .as_ref()
            .and_then(|status| status.pod_ip.as_deref());
        Location::new(reference.is_tls, proxyable(ip.unwrap_or_default())?, &port)
    }

    /// A port of a node that isn't its agent's.
    pub(super) fn of_node(node: IpAddr, reference: &Reference<'_>) -> Result<Self, ApiError> {
        let address = proxyable(&node.to_string())?;
        Location::new(reference.is_tls, address, reference.port)
    }

    /// One of a service's ready endpoints, another at each `turn`. Only pods that exist are trusted to
    /// have the addresses that endpoints claim: `pod_of` finds them.
    pub(super) fn of_service(
        service: &Service,
        reference: &Reference<'_>,
        slices: &[EndpointSlice],
        turn: usize,
        pod_of: impl Fn(&str) -> Option<Pod>,
    ) -> Result<Self, ApiError> {
        let port = port_name(service, reference)?;
        let mut addresses = Vec::new();
        for slice in slices {
            let ports = slice.ports.iter().flatten();
            let mut numbers = ports
                .filter(|known| known.name.as_deref().unwrap_or_default() == port)
                .filter_map(|known| u16::try_from(known.port?).ok());
            let Some(number) = numbers.next() else {
                continue;
            };
            let ready = slice.endpoints.iter().flatten().filter(|endpoint| {
                let conditions = endpoint.conditions.as_ref();
                conditions.and_then(|conditions| conditions.ready) != Some(false)
            });
            addresses.extend(ready.map(|endpoint| (endpoint, number)));
        }
        let first = turn.checked_rem(addresses.len()).unwrap_or(0);
        addresses.rotate_left(first);
        let chosen = addresses.into_iter().find_map(|(endpoint, number)| {
            let ip = endpoint.addresses.first()?;
            is_its_own(endpoint, ip, &pod_of).then_some((ip.parse().ok()?, number))
        });
        let (ip, number): (IpAddr, u16) = chosen.ok_or_else(|| {
            let name = reference.name;
            ApiError::ServiceUnavailable(format!("no endpoints available for service {name:?}"))
        })?;
        Ok(Location {
            is_tls: reference.is_tls,
            address: SocketAddr::new(ip, number),
        })
    }
}

/// The name of the service's port that a request means, by name or by number.
fn port_name(service: &Service, reference: &Reference<'_>) -> Result<String, ApiError> {
    let Ok(number) = reference.port.parse::<i64>() else {
        return Ok(reference.port.to_owned());
    };
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let mut named = ports.filter(|port| i64::from(port.port) == number);
    let port = named.next().ok_or_else(|| {
        let name = reference.name;
        let message = format!("no service port {number} found for service {name:?}");
        ApiError::ServiceUnavailable(message)
    })?;
    Ok(port.name.clone().unwrap_or_default())
}

/// Whether an endpoint's address is that of the pod that it names: else whoever may write endpoints
/// could send the server anywhere.
fn is_its_own(endpoint: &Endpoint, ip: &str, pod_of: impl Fn(&str) -> Option<Pod>) -> bool {
    let target = endpoint.target_ref.as_ref();
    let Some(target) = target.filter(|target| target.kind.as_deref() == Some("Pod")) else {
        return false;
    };
    let pod = target.name.as_deref().and_then(pod_of);
    pod.is_some_and(|pod| {
        let ips = pod
            .status
            .iter()
            .flat_map(|status| status.pod_ips.iter().flatten());
        let mut ips = ips.map(|known| known.ip.as_str());
        let first = pod
            .status
            .as_ref()
            .and_then(|status| status.pod_ip.as_deref());
        first == Some(ip) || ips.any(|known| known == ip)
    })
}

/// An address that the server may be sent to: not to itself, nor to what only its own link can reach.
fn proxyable(ip: &str) -> Result<IpAddr, ApiError> {
    let ip = ip.parse().ok().filter(|ip: &IpAddr| {
        let is_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local() || ip.octets()[..3] == [224, 0, 0],
            IpAddr::V6(ip) => {
                let [first, ..] = ip.segments();
                first & 0xffc0 == 0xfe80 || first & 0xff0f == 0xff01 || first & 0xff0f == 0xff02
            }
        };
        !(ip.is_loopback() || is_local)
    });
    ip.ok_or_else(|| ApiError::BadRequest("address not allowed".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn described(location: Result<Location, ApiError>) -> String {
        match location {
            Ok(Location { is_tls, address }) => {
                format!("{}{address}", if is_tls { "https://" } else { "http://" })
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn references_have_a_name_and_may_have_scheme_and_port() {
        let parsed =
            |text| Reference::parse(text).map(|found| (found.is_tls, found.name, found.port));
        assert_eq!(parsed("web"), Some((false, "web", "")));
        assert_eq!(parsed("web:80"), Some((false, "web", "80")));
        assert_eq!(parsed("HTTPS:web:tls"), Some((true, "web", "tls")));
        assert_eq!(parsed("https:web:"), Some((true, "web", "")));
        assert_eq!(parsed(":web:80"), Some((false, "web", "80")));
        for wrong in ["", ":80", "ftp:web:21", "a:b:c:d", "https::443"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    fn pod(ip: &str, ports: &Value) -> Pod {
        from_value(json!({
            "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": ports}]},
            "status": {"podIP": ip},
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_is_reached_at_its_first_port_unless_told_otherwise() {
        let check = |ip, reference, expected: &str| {
            let pod = pod(
                ip,
                &json!([{"containerPort": 8080}, {"containerPort": 9090}]),
            );
            let reference = Reference::parse(reference).unwrap();
            assert_eq!(described(Location::of_pod(&pod, &reference)), expected);
        };
        check("10.1.0.2", "p", "http://10.1.0.2:8080");
        check("10.1.0.2", "https:p:9", "https://10.1.0.2:9");
        check("fd00::2", "p:80", "http://[fd00::2]:80");
        let unknown = "error trying to reach service: dial tcp: lookup tcp/web: unknown port";
        check("10.1.0.2", "p:web", unknown);
        for ip in [
            "",
            "127.0.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "ff02::1",
        ] {
            check(ip, "p", "address not allowed");
        }
        let silent = pod("10.1.0.2", &json!([]));
        let reference = Reference::parse("https:p:").unwrap();
        assert_eq!(
            described(Location::of_pod(&silent, &reference)),
            "https://10.1.0.2:443"
        );
    }

    #[test]
    fn a_service_leads_to_ready_pods_in_turn() {
        let service: Service = from_value(json!({
            "spec": {"ports": [{"name": "web", "port": 80}, {"name": "admin", "port": 81}]},
        }))
        .unwrap();
        let endpoint = |pod: &str, ip: &str, ready: bool| {
            json!({
                "addresses": [ip], "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": pod},
            })
        };
        let slices: Vec<EndpointSlice> = from_value(json!([{
            "addressType": "IPv4",
            "metadata": {},
            "ports": [{"name": "web", "port": 8080}],
            "endpoints": [
                endpoint("a", "10.1.0.1", true),
                endpoint("late", "10.1.0.9", false),
                endpoint("liar", "10.9.9.9", true),
                endpoint("b", "10.1.0.2", true),
            ],
        }]))
        .unwrap();
        let pods = |name: &str| match name {
            "a" => Some(pod("10.1.0.1", &json!([]))),
            "b" => Some(pod("10.1.0.2", &json!([]))),
            "liar" => Some(pod("10.1.0.3", &json!([]))),
            _ => None,
        };
        let check = |reference, turn, expected: &str| {
            let reference = Reference::parse(reference).unwrap();
            let found = Location::of_service(&service, &reference, &slices, turn, pods);
            assert_eq!(described(found), expected);
        };
        check("s:80", 0, "http://10.1.0.1:8080");
        check("https:s:web", 1, "https://10.1.0.2:8080");
        check("s:web", 2, "http://10.1.0.2:8080");
        check("s:web", 3, "http://10.1.0.1:8080");
        check("s:82", 0, "no service port 82 found for service \"s\"");
        check("s:admin", 0, "no endpoints available for service \"s\"");
        check("s", 0, "no endpoints available for service \"s\"");
    }
}
