//! Messages in, messages out: over UDP, and over TCP for answers that don't fit.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, ResponseCode},
    rr::{DNSClass, Name, RecordType},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Directory, Error,
    forward::Upstreams,
    zone::{Answer, Zone},
};

/// What a client may receive over UDP if it doesn't say (RFC 1035).
const UDP_SIZE: u16 = 512;

/// The most we send over UDP whatever a client says, since larger datagrams get lost in fragments.
const UDP_LIMIT: u16 = 1232;

/// Questions answered at the same time; more wait, and the kernel drops what is beyond its buffer.
const CONCURRENCY: usize = 512;

/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(10);

/// How often an alias inside the cluster may lead to another.
const ALIASES: usize = 8;

/// Answers for one zone, and forwards the rest.
pub struct Server<D> {
    zone: Zone<D>,
    upstreams: Upstreams,
}

impl<D: Directory + 'static> Server<D> {
    /// A server that is not bound to an address yet.
    pub fn new(zone: Zone<D>, upstreams: Upstreams) -> Arc<Self> {
        Arc::new(Server { zone, upstreams })
    }

    /// Serves both protocols at an address until cancelled. Port 0 takes any free one.
    pub async fn bind(self: &Arc<Self>, address: SocketAddr) -> Result<Bound<D>, Error> {
        let failed = |error| Error::Bind { address, error };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let udp = UdpSocket::bind(address).await.map_err(failed)?;
        Ok(Bound {
            server: self.clone(),
            udp: Arc::new(udp),
            tcp,
            address,
        })
    }

    /// Answers one message in wire form; `None` for what deserves no answer.
    pub async fn respond(&self, wire: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let Ok(query) = Message::from_vec(wire) else {
            // Not even a header: silence. Otherwise tell that the rest made no sense.
            let id = u16::from_be_bytes([*wire.first()?, *wire.get(1)?]);
            let is_query = wire.get(2)? & 0x80 == 0 && wire.len() >= 12;
            return is_query.then(|| {
                encode(&Message::error_msg(
                    id,
                    OpCode::Query,
                    ResponseCode::FormErr,
                ))
            })?;
        };
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut response = Message::response(query.metadata.id, query.metadata.op_code);
        response.metadata.recursion_desired = query.metadata.recursion_desired;
        response.metadata.recursion_available = true;
        response.add_queries(query.queries.iter().cloned());
        let [question] = query.queries.as_slice() else {
            response.metadata.response_code = ResponseCode::FormErr;
            return encode(&response);
        };
        if query.metadata.op_code != OpCode::Query || question.query_class() != DNSClass::IN {
            response.metadata.response_code = ResponseCode::NotImp;
            return encode(&response);
        }
        let known = self
            .look_up(
                &mut response,
                question.name().clone(),
                question.query_type(),
            )
            .await;
        if !known {
            return match self.upstreams.ask(wire, over_tcp).await {
                Some(answer) => Some(answer),
                None => {
                    response.metadata.response_code = ResponseCode::ServFail;
                    encode(&response)
                }
            };
        }
        let mut size = u16::MAX;
        if let Some(edns) = &query.edns {
            let mut ours = Edns::new();
            ours.set_max_payload(UDP_LIMIT);
            response.set_edns(ours);
            size = edns.max_payload();
        }
        let room = match (over_tcp, &query.edns) {
            (true, _) => u16::MAX,
            (false, Some(_)) => size.clamp(UDP_SIZE, UDP_LIMIT),
            (false, None) => UDP_SIZE,
        };
        let wire = encode(&response)?;
        if wire.len() <= room.into() {
            Some(wire)
        } else {
            encode(&response.truncate())
        }
    }

    /// Fills in what the zone knows, following aliases; false if the name is none of ours.
    async fn look_up(&self, response: &mut Message, name: Name, kind: RecordType) -> bool {
        let mut name = name;
        response.metadata.authoritative = true;
        for _ in 0..ALIASES {
            match self.zone.answer(&name, kind) {
                Answer::Records(records) => {
                    response.add_answers(records);
                    return true;
                }
                Answer::Alias(record, target) => {
                    response.add_answer(*record);
                    name = target;
                }
                Answer::NoData => {
                    response.add_authority(self.zone.authority());
                    return true;
                }
                Answer::NoSuchName => {
                    response.metadata.response_code = ResponseCode::NXDomain;
                    response.add_authority(self.zone.authority());
                    return true;
                }
                Answer::Foreign if response.answers.is_empty() => return false,
                Answer::Foreign => {
                    self.resolve_alias(response, name, kind).await;
                    return true;
                }
            }
        }
        response.metadata.response_code = ResponseCode::ServFail;
        true
    }

    /// Adds what the world says about the name that an alias leads to.
    async fn resolve_alias(&self, response: &mut Message, name: Name, kind: RecordType) {
        let mut query = Message::query();
        query.metadata.recursion_desired = true;
        query.add_query(hickory_proto::op::Query::query(name, kind));
        let answer = match encode(&query) {
            Some(wire) => self.upstreams.ask(&wire, false).await,
            None => None,
        };
        match answer.and_then(|wire| Message::from_vec(&wire).ok()) {
            Some(answer) => {
                response.metadata.response_code = answer.metadata.response_code;
                response.add_answers(answer.answers);
            }
            None => response.metadata.response_code = ResponseCode::ServFail,
        }
    }
}

/// A server with its sockets.
pub struct Bound<D> {
    server: Arc<Server<D>>,
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl<D: Directory + 'static> Bound<D> {
    /// Answers until cancelled; nothing is left running.
    pub async fn run(self, cancel: CancellationToken) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut tasks = JoinSet::new();
        let mut buffer = vec![0; 65_535];
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                received = self.udp.recv_from(&mut buffer) => {
                    let Ok((length, client)) = received else { continue };
                    let Ok(permit) = permits.clone().acquire_owned().await else { return };
                    let (server, udp) = (self.server.clone(), self.udp.clone());
                    let query = buffer[..length].to_vec();
                    tasks.spawn(async move {
                        if let Some(answer) = server.respond(&query, false).await {
                            // A client that has gone away is no concern of ours.
                            let _ = udp.send_to(&answer, client).await;
                        }
                        drop(permit);
                    });
                }
                accepted = self.tcp.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let Ok(permit) = permits.clone().acquire_owned().await else { return };
                    let server = self.server.clone();
                    tasks.spawn(async move {
                        let _ = converse(&server, stream).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

/// Answers question after question on one connection until it is idle or closed.
async fn converse<D: Directory + 'static>(
    server: &Server<D>,
    mut stream: TcpStream,
) -> std::io::Result<()> {
    loop {
        let Ok(length) = timeout(IDLE, stream.read_u16()).await else {
            return Ok(());
        };
        let mut query = vec![0; length?.into()];
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        let Some(answer) = server.respond(&query, true).await else {
            return Ok(());
        };
        stream.write_u16(answer.len() as u16).await?;
        stream.write_all(&answer).await?;
    }
}

fn encode(message: &Message) -> Option<Vec<u8>> {
    message
        .to_vec()
        .inspect_err(|error| tracing::debug!(%error, "answer could not be encoded"))
        .ok()
}

#[cfg(test)]
mod tests;
