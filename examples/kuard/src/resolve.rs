//! DNS as a pod sees it: the servers and search path of `/etc/resolv.conf`, one UDP question at a time.
//!
//! The C library's resolver can't be linked into a static program, so the question is asked directly.

use std::{net::IpAddr, str::FromStr, time::Duration};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use serde::Serialize;
use tokio::{net::UdpSocket, time::timeout};

/// What the resolver said.
#[derive(Serialize)]
pub(crate) struct Answer {
    /// The fully qualified name that answered.
    pub(crate) name: String,
    /// The records' data, one each.
    pub(crate) records: Vec<String>,
}

struct ResolvConf {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    ndots: usize,
}

impl ResolvConf {
    fn parse(text: &str) -> Self {
        let mut conf = ResolvConf {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf
                    .servers
                    .extend(words.filter_map(|word| word.parse::<IpAddr>().ok())),
                Some("search") => conf.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let mut ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    conf.ndots = ndots.next().unwrap_or(conf.ndots);
                }
                _ => {}
            }
        }
        conf
    }

    /// The names to try, in the order that resolv.conf(5) prescribes.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![format!("{absolute}.")];
        }
        let mut names: Vec<String> = self
            .search
            .iter()
            .map(|domain| format!("{name}.{}.", domain.trim_end_matches('.')))
            .collect();
        let at = if name.matches('.').count() >= self.ndots {
            0
        } else {
            names.len()
        };
        names.insert(at, format!("{name}."));
        names
    }
}

/// Asks for `name`, walking the search path; `kind` is a record type such as `A` or `SRV`.
pub(crate) async fn query(name: &str, kind: &str) -> Result<Answer, String> {
    let kind = RecordType::from_str(kind).map_err(|_| format!("{kind} is no record type"))?;
    let text = tokio::fs::read_to_string("/etc/resolv.conf").await;
    let conf = ResolvConf::parse(&text.map_err(|error| format!("/etc/resolv.conf: {error}"))?);
    if conf.servers.is_empty() {
        return Err("no nameserver in /etc/resolv.conf".into());
    }
    let mut last = format!("{name}: no answer");
    for candidate in conf.candidates(name) {
        for server in &conf.servers {
            match ask(*server, &candidate, kind).await {
                Ok(records) if !records.is_empty() => {
                    return Ok(Answer {
                        name: candidate,
                        records,
                    });
                }
                Ok(_) => last = format!("{name}: no such name"),
                Err(error) => last = format!("{name}: {error}"),
            }
        }
    }
    Err(last)
}

async fn ask(server: IpAddr, name: &str, kind: RecordType) -> Result<Vec<String>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut question = Message::new(std::process::id() as u16, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(
        Name::from_str(name).map_err(|e| text(&e))?,
        kind,
    ));

    let socket = UdpSocket::bind(if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    })
    .await;
    let socket = socket.map_err(|e| text(&e))?;
    socket.connect((server, 53)).await.map_err(|e| text(&e))?;
    socket
        .send(&question.to_vec().map_err(|e| text(&e))?)
        .await
        .map_err(|e| text(&e))?;
    let mut buffer = [0; 4096];
    let length = timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await;
    let length = length
        .map_err(|_| format!("{server} did not answer"))?
        .map_err(|e| text(&e))?;
    let reply = Message::from_vec(&buffer[..length]).map_err(|e| text(&e))?;

    match reply.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Err(format!("{server} says {code}")),
    }
    let data = reply
        .answers
        .iter()
        .filter(|record| record.record_type() == kind);
    Ok(data.map(|record| show(&record.data)).collect())
}

fn show(data: &RData) -> String {
    data.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_walk_the_search_path_first() {
        let conf = ResolvConf::parse(
            "nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local\noptions ndots:5\n",
        );
        assert_eq!(conf.servers, ["10.96.0.10".parse::<IpAddr>().unwrap()]);
        assert_eq!(
            conf.candidates("web"),
            [
                "web.default.svc.cluster.local.",
                "web.svc.cluster.local.",
                "web."
            ]
        );
        assert_eq!(conf.candidates("a.b.c.d.e.f")[0], "a.b.c.d.e.f.");
        assert_eq!(conf.candidates("web."), ["web."]);
    }
}
