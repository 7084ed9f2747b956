//! Which endpoints take which traffic. Pure.
//!
//! Source: <https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies>. While no
//! endpoint is ready, those that still serve though they terminate are used (KEP-1669).

use crate::state::{Endpoint, ServicePort, TrafficPolicy};

/// The endpoints of one service port, by the traffic that may reach them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachable<'a> {
    /// For traffic to which every endpoint is open.
    pub cluster: Vec<&'a Endpoint>,
    /// For traffic that has to stay on this node; `None` if no policy asks for it.
    pub local: Option<Vec<&'a Endpoint>>,
    /// Whether the service has endpoints anywhere that take traffic.
    pub has_any: bool,
}

/// Chooses among the endpoints of a service port.
pub fn reachable(port: &ServicePort) -> Reachable<'_> {
    let cluster = ready_or_serving(port.endpoints.iter());
    let has_external = port.node_port.is_some() || !port.external_ips.is_empty();
    let wants_local = port.internal_policy == TrafficPolicy::Local
        || has_external && port.external_policy == TrafficPolicy::Local;
    let local = wants_local.then(|| ready_or_serving(port.endpoints.iter().filter(|e| e.is_local)));
    let has_any = !cluster.is_empty();
    Reachable {
        cluster,
        local,
        has_any,
    }
}

fn ready_or_serving<'a>(
    endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
) -> Vec<&'a Endpoint> {
    let ready: Vec<_> = endpoints
        .clone()
        .filter(|endpoint| endpoint.is_ready)
        .collect();
    if ready.is_empty() {
        endpoints
            .filter(|endpoint| endpoint.is_serving_while_terminating)
            .collect()
    } else {
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{endpoint, port};

    #[test]
    fn terminating_endpoints_serve_only_while_none_is_ready() {
        let mut web = port("default/web").endpoints([endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
        web.endpoints[0].is_ready = false;
        web.endpoints[0].is_serving_while_terminating = true;
        assert_eq!(reachable(&web).cluster, [&web.endpoints[1]]);
        web.endpoints[1].is_ready = false;
        assert_eq!(reachable(&web).cluster, [&web.endpoints[0]]);
        web.endpoints[0].is_serving_while_terminating = false;
        assert!(!reachable(&web).has_any);
    }

    #[test]
    fn local_traffic_stays_on_the_node() {
        let mut web = port("default/web").endpoints([endpoint("10.0.0.1"), endpoint("10.0.0.2")]);
        web.endpoints[1].is_local = true;
        assert_eq!(reachable(&web).local, None);
        web.internal_policy = TrafficPolicy::Local;
        assert_eq!(reachable(&web).local, Some(vec![&web.endpoints[1]]));
    }
}
