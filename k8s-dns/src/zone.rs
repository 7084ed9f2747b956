//! The cluster's zone: from a name and a record type to records, straight out of the directory.

use std::{net::Ipv4Addr, str::FromStr};

use hickory_proto::rr::{
    Name, RData, Record, RecordType,
    rdata::{A, CNAME, PTR, SOA, SRV, TXT},
};
use k8s_openapi::api::{
    core::v1::ServiceSpec,
    discovery::v1::{Endpoint, EndpointSlice},
};

use crate::{
    Directory, Error,
    question::{self, Question},
};

/// Seconds for which answers may be kept, as CoreDNS' default has it: endpoints come and go.
const TTL: u32 = 5;

/// The version of the specification that is spoken.
const VERSION: &str = "1.1.0";

/// What the zone says to a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Records, at least one.
    Records(Vec<Record>),
    /// The name is another name, outside or inside the zone, whose records are to be looked up.
    Alias(Box<Record>, Name),
    /// The name exists, without records of this type.
    NoData,
    /// No such name.
    NoSuchName,
    /// Not a name of this zone.
    Foreign,
}

/// A cluster's domain over a directory.
pub struct Zone<D> {
    domain: Name,
    directory: D,
}

impl<D: Directory> Zone<D> {
    /// A zone such as `cluster.local`.
    pub fn try_new(domain: &str, directory: D) -> Result<Zone<D>, Error> {
        let mut name = Name::from_str(domain)
            .map_err(|_| Error::Domain(domain.to_owned()))?
            .to_lowercase();
        name.set_fqdn(true);
        Ok(Zone {
            domain: name,
            directory,
        })
    }

    /// Answers one question.
    pub fn answer(&self, name: &Name, kind: RecordType) -> Answer {
        let lower = name.to_lowercase();
        let text = lower.to_ascii();
        let labels: Vec<&str> = text.split('.').filter(|label| !label.is_empty()).collect();
        if let Some(address) = question::reverse(&labels) {
            return self.reverse(name, address, kind);
        }
        if !self.domain.zone_of(&lower) {
            return Answer::Foreign;
        }
        let ours = labels.len() - usize::from(self.domain.num_labels());
        match Question::parse(&labels[..ours]) {
            Question::Apex if kind == RecordType::SOA && ours == 0 => {
                Answer::Records(vec![self.authority()])
            }
            Question::Apex => Answer::NoData,
            Question::Version => only(
                kind,
                RecordType::TXT,
                vec![record(name, RData::TXT(TXT::new(vec![VERSION.to_owned()])))],
            ),
            Question::Namespace(namespace) => match self.directory.has_namespace(&namespace) {
                true => Answer::NoData,
                false => Answer::NoSuchName,
            },
            Question::Service { service, namespace } => {
                self.service(name, &namespace, &service, kind)
            }
            Question::Port {
                port,
                protocol,
                service,
                namespace,
            } => self.port(name, &namespace, &service, (&port, &protocol), kind),
            Question::Endpoint {
                hostname,
                service,
                namespace,
            } => self.endpoint(name, &namespace, &service, &hostname, kind),
            Question::Pod { address, namespace } => {
                match self.directory.has_namespace(&namespace) {
                    true => only(
                        kind,
                        RecordType::A,
                        vec![record(name, RData::A(A(address)))],
                    ),
                    false => Answer::NoSuchName,
                }
            }
            Question::Nothing => Answer::NoSuchName,
        }
    }

    /// The record that goes with negative answers.
    pub fn authority(&self) -> Record {
        let inside = |label: &str| {
            self.domain
                .prepend_label(label)
                .unwrap_or_else(|_| self.domain.clone())
        };
        let server = inside("dns")
            .prepend_label("ns")
            .unwrap_or_else(|_| self.domain.clone());
        let soa = SOA::new(server, inside("hostmaster"), 1, 7200, 1800, 86_400, TTL);
        record(&self.domain, RData::SOA(soa))
    }

    fn service(&self, name: &Name, namespace: &str, service: &str, kind: RecordType) -> Answer {
        let Some(object) = self.directory.service(namespace, service) else {
            return Answer::NoSuchName;
        };
        let Some(spec) = &object.spec else {
            return Answer::NoData;
        };
        if let Some(target) = external_name(spec) {
            let alias = record(name, RData::CNAME(CNAME(target.clone())));
            return match kind {
                RecordType::CNAME => Answer::Records(vec![alias]),
                _ => Answer::Alias(Box::new(alias), target),
            };
        }
        let addresses: Vec<Ipv4Addr> = match cluster_ip(spec) {
            Some(address) => vec![address],
            None => {
                let endpoints = self.endpoints(namespace, service, spec);
                // A headless service without endpoints has no name, so that clients stop asking.
                if endpoints.is_empty() {
                    return Answer::NoSuchName;
                }
                endpoints.iter().map(|endpoint| endpoint.address).collect()
            }
        };
        let records = addresses
            .into_iter()
            .map(|address| record(name, RData::A(A(address))));
        only(kind, RecordType::A, records.collect())
    }

    fn port(
        &self,
        name: &Name,
        namespace: &str,
        service: &str,
        (port, protocol): (&str, &str),
        kind: RecordType,
    ) -> Answer {
        let Some(object) = self.directory.service(namespace, service) else {
            return Answer::NoSuchName;
        };
        let Some(spec) = &object.spec else {
            return Answer::NoSuchName;
        };
        let target = self.inside(&[service, namespace, "svc"]);
        let srv =
            |port: u16, target: Name| record(name, RData::SRV(SRV::new(0, 100, port, target)));
        let records: Vec<Record> = match cluster_ip(spec) {
            Some(_) => {
                let same = |api: Option<&str>| api.unwrap_or("TCP").eq_ignore_ascii_case(protocol);
                let ports = spec.ports.iter().flatten();
                ports
                    .filter(|found| {
                        found.name.as_deref() == Some(port) && same(found.protocol.as_deref())
                    })
                    .filter_map(|found| Some(srv(found.port.try_into().ok()?, target.clone()?)))
                    .collect()
            }
            None => self
                .endpoints(namespace, service, spec)
                .iter()
                .filter_map(|endpoint| {
                    let number = endpoint.port(port, protocol)?;
                    Some(srv(
                        number,
                        self.inside(&[&endpoint.hostname, service, namespace, "svc"])?,
                    ))
                })
                .collect(),
        };
        match records.is_empty() {
            true => Answer::NoSuchName,
            false => only(kind, RecordType::SRV, records),
        }
    }

    fn endpoint(
        &self,
        name: &Name,
        namespace: &str,
        service: &str,
        hostname: &str,
        kind: RecordType,
    ) -> Answer {
        let object = self.directory.service(namespace, service);
        let Some(spec) = object.as_ref().and_then(|object| object.spec.as_ref()) else {
            return Answer::NoSuchName;
        };
        if cluster_ip(spec).is_some() || external_name(spec).is_some() {
            return Answer::NoSuchName;
        }
        let endpoints = self.endpoints(namespace, service, spec);
        let found = endpoints
            .iter()
            .filter(|endpoint| endpoint.hostname == hostname);
        let records: Vec<Record> = found
            .map(|endpoint| record(name, RData::A(A(endpoint.address))))
            .collect();
        match records.is_empty() {
            true => Answer::NoSuchName,
            false => only(kind, RecordType::A, records),
        }
    }

    fn reverse(&self, name: &Name, address: Ipv4Addr, kind: RecordType) -> Answer {
        let mut names = Vec::new();
        if let Some(service) = self.directory.service_at(address) {
            let (namespace, service) = key(&service.metadata);
            names.extend(self.inside(&[service, namespace, "svc"]));
        } else {
            for slice in self.directory.slices_at(address) {
                let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
                let labels = slice.metadata.labels.as_ref();
                let Some(service) =
                    labels.and_then(|labels| labels.get("kubernetes.io/service-name"))
                else {
                    continue;
                };
                for endpoint in Backend::all(&slice, true).filter(|e| e.address == address) {
                    names.extend(self.inside(&[&endpoint.hostname, service, namespace, "svc"]));
                }
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Answer::Foreign;
        }
        let records = names
            .into_iter()
            .map(|target| record(name, RData::PTR(PTR(target))));
        only(kind, RecordType::PTR, records.collect())
    }

    /// The endpoints of a headless service that its names stand for.
    fn endpoints(&self, namespace: &str, service: &str, spec: &ServiceSpec) -> Vec<Backend> {
        let unready_too = spec.publish_not_ready_addresses.unwrap_or(false);
        let slices = self.directory.slices(namespace, service);
        let mut endpoints: Vec<Backend> = slices
            .iter()
            .flat_map(|slice| Backend::all(slice, unready_too))
            .collect();
        endpoints.sort_by(|a, b| (a.address, &a.hostname).cmp(&(b.address, &b.hostname)));
        endpoints.dedup_by(|a, b| a.address == b.address && a.hostname == b.hostname);
        endpoints
    }

    fn inside(&self, labels: &[&str]) -> Option<Name> {
        let name = Name::from_labels(labels.iter().map(|label| label.as_bytes())).ok()?;
        name.append_domain(&self.domain).ok()
    }
}

/// One endpoint of a headless service.
struct Backend {
    address: Ipv4Addr,
    /// Its own, or its address with dashes.
    hostname: String,
    /// Name, protocol and number of each port.
    ports: Vec<(String, String, u16)>,
}

impl Backend {
    fn all(slice: &EndpointSlice, unready_too: bool) -> impl Iterator<Item = Backend> {
        let ports: Vec<(String, String, u16)> = slice
            .ports
            .iter()
            .flatten()
            .filter_map(|port| {
                let name = port.name.clone().unwrap_or_default();
                let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".into());
                Some((name, protocol, port.port?.try_into().ok()?))
            })
            .collect();
        let endpoints = slice.endpoints.iter().flatten();
        let published = endpoints.filter(move |endpoint| unready_too || is_ready(endpoint));
        published.flat_map(move |endpoint| {
            let ports = ports.clone();
            let addresses = endpoint
                .addresses
                .iter()
                .filter_map(|text| text.parse::<Ipv4Addr>().ok());
            addresses.map(move |address| {
                let dashed = || address.to_string().replace('.', "-");
                let hostname = endpoint.hostname.clone().unwrap_or_else(dashed);
                Backend {
                    address,
                    hostname,
                    ports: ports.clone(),
                }
            })
        })
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        let mut ports = self.ports.iter();
        let found = ports.find(|port| port.0 == name && port.1.eq_ignore_ascii_case(protocol));
        found.map(|port| port.2)
    }
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint
        .conditions
        .as_ref()
        .and_then(|conditions| conditions.ready)
        .unwrap_or(true)
}

fn cluster_ip(spec: &ServiceSpec) -> Option<Ipv4Addr> {
    spec.cluster_ip.as_deref().and_then(|ip| ip.parse().ok())
}

fn external_name(spec: &ServiceSpec) -> Option<Name> {
    let name = spec
        .external_name
        .as_deref()
        .filter(|_| spec.type_.as_deref() == Some("ExternalName"))?;
    let mut name = Name::from_str(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn key(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> (&str, &str) {
    (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

/// Records of type `have`, to a question for `want`.
fn only(want: RecordType, have: RecordType, records: Vec<Record>) -> Answer {
    if want == have || want == RecordType::ANY {
        Answer::Records(records)
    } else {
        Answer::NoData
    }
}

fn record(name: &Name, data: RData) -> Record {
    Record::from_rdata(name.clone(), TTL, data)
}

#[cfg(test)]
mod tests;
