//! DNS messages: an answer can be read, belongs to its question, and fits where it is sent.

use std::{net::Ipv4Addr, str::FromStr, sync::Arc};

use anyhow::{Context, Result, ensure};
use hickory_proto::{
    op::{Edns, Message, MessageType, Query},
    rr::{Name, RecordType},
};
use k8s_dns::{Directory, forward::Upstreams, server::Server, zone::Zone};
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use k8s_store::testing::Dice;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::Target;
use crate::mutate;

const NAMES: [&str; 10] = [
    "cluster.local",
    "svc.cluster.local",
    "web.default.svc.cluster.local",
    "many.default.svc.cluster.local",
    "_http._tcp.web.default.svc.cluster.local",
    "a-1.many.default.svc.cluster.local",
    "7.0.96.10.in-addr.arpa",
    "dns-version.cluster.local",
    "10-1-2-3.default.pod.cluster.local",
    "EXAMPLE.org",
];
/// The most that is sent over UDP, and to those who say nothing of sizes.
const SIZES: (usize, usize) = (1232, 512);

pub(super) struct Dns {
    runtime: Runtime,
    server: Arc<Server<Fixed>>,
}

impl Dns {
    pub(super) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let zone = Zone::try_new("cluster.local", Fixed::new()).expect("a domain");
        Dns {
            runtime,
            server: Server::new(zone, Upstreams::default()),
        }
    }
}

impl Target for Dns {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut message = Message::query();
        for _ in 0..1 + dice.below(12) / 11 {
            let name = Name::from_str(mutate::pick(dice, &NAMES)).unwrap_or_default();
            let kinds = [
                RecordType::A,
                RecordType::SRV,
                RecordType::PTR,
                RecordType::TXT,
                RecordType::ANY,
            ];
            message.add_query(Query::query(name, kinds[dice.below(kinds.len())]));
        }
        if dice.one_in(2) {
            let mut edns = Edns::new();
            edns.set_max_payload(dice.throw() as u16);
            message.set_edns(edns);
        }
        let mut wire = message.to_vec().unwrap_or_default();
        if !dice.one_in(3) {
            mutate::mutate(dice, &mut wire, &["\u{0}", "\u{1}a", "*", "_tcp"]);
        }
        wire
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        for over_tcp in [false, true] {
            let Some(answer) = self.runtime.block_on(self.server.respond(input, over_tcp)) else {
                continue;
            };
            let read = Message::from_vec(&answer).context("the answer can't be read")?;
            ensure!(input[..2] == answer[..2], "it answers another question");
            ensure!(
                read.metadata.message_type == MessageType::Response,
                "it asks back"
            );
            let has_edns = Message::from_vec(input).is_ok_and(|query| query.edns.is_some());
            let room = if has_edns { SIZES.0 } else { SIZES.1 };
            ensure!(
                over_tcp || answer.len() <= room,
                "{} bytes over UDP",
                answer.len()
            );
        }
        Ok(())
    }
}

/// Two services, one of them with more endpoints than a datagram holds.
struct Fixed {
    web: Arc<Service>,
    many: Arc<Service>,
    slice: Arc<EndpointSlice>,
}

impl Fixed {
    fn new() -> Self {
        let service = |name: &str, ip: &str| {
            let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
            let service = json!({
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": ports},
            });
            Arc::new(serde_json::from_value(service).expect("a service"))
        };
        let endpoint = |number: u8| {
            let (address, hostname) = (format!("10.1.0.{number}"), format!("a-{number}"));
            json!({"addresses": [address], "hostname": hostname, "conditions": {"ready": true}})
        };
        let slice = json!({
            "metadata": {
                "name": "many-x", "namespace": "default", "labels": {"kubernetes.io/service-name": "many"},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": (1..100).map(endpoint).collect::<Vec<_>>(),
        });
        Fixed {
            web: service("web", "10.96.0.7"),
            many: service("many", "None"),
            slice: Arc::new(serde_json::from_value(slice).expect("a slice")),
        }
    }
}

impl Directory for Fixed {
    fn has_namespace(&self, name: &str) -> bool {
        name == "default"
    }

    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        match (namespace, name) {
            ("default", "web") => Some(self.web.clone()),
            ("default", "many") => Some(self.many.clone()),
            _ => None,
        }
    }

    fn slices(&self, namespace: &str, service: &str) -> Vec<Arc<EndpointSlice>> {
        match (namespace, service) {
            ("default", "many") => vec![self.slice.clone()],
            _ => Vec::new(),
        }
    }

    fn service_at(&self, address: Ipv4Addr) -> Option<Arc<Service>> {
        (address == Ipv4Addr::new(10, 96, 0, 7)).then(|| self.web.clone())
    }

    fn slices_at(&self, address: Ipv4Addr) -> Vec<Arc<EndpointSlice>> {
        match address.octets() {
            [10, 1, 0, _] => vec![self.slice.clone()],
            _ => Vec::new(),
        }
    }
}
