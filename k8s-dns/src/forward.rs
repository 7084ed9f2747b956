//! Names outside the cluster: asked of the resolvers that this machine uses itself.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// How long one resolver may take; then the next one is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// The resolvers of `/etc/resolv.conf`, or any others.
#[derive(Debug, Default)]
pub struct Upstreams {
    servers: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Upstreams {
    /// Asks these, in turn.
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Upstreams {
            servers,
            next: AtomicUsize::new(0),
        }
    }

    /// Those named in the text of a `resolv.conf`, except `own`, which would be a loop.
    pub fn from_resolv_conf(text: &str, own: &[IpAddr]) -> Self {
        let words = text.lines().map(str::split_whitespace);
        let servers = words.filter_map(|mut words| match words.next() {
            Some("nameserver") => words.next()?.parse::<IpAddr>().ok(),
            _ => None,
        });
        Self::new(
            servers
                .filter(|ip| !own.contains(ip))
                .map(|ip| (ip, 53).into())
                .collect(),
        )
    }

    /// The first answer to a query in wire form; `None` if no resolver gives one.
    pub async fn ask(&self, query: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        for index in 0..self.servers.len() {
            let server = self.servers[(start + index) % self.servers.len()];
            let asked = async {
                if over_tcp {
                    ask_tcp(server, query).await
                } else {
                    ask_udp(server, query).await
                }
            };
            match timeout(PATIENCE, asked).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!(%server, %error, "resolver failed"),
                Err(_) => tracing::debug!(%server, "resolver did not answer"),
            }
        }
        None
    }
}

async fn ask_udp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let any = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // A connected socket takes datagrams of that server only; the number must fit as well.
        if length >= 2 && buffer[..2] == query[..2] {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn ask_tcp(server: SocketAddr, query: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_u16(query.len() as u16).await?;
    stream.write_all(query).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_and_our_own_address_is_not_among_them() {
        let text = "# comment\nnameserver 192.0.2.1\nsearch example.com\nnameserver 10.96.0.10\nnameserver ::1\n";
        let upstreams = Upstreams::from_resolv_conf(text, &["10.96.0.10".parse().unwrap()]);
        assert_eq!(
            upstreams.servers,
            ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]
        );
    }

    #[tokio::test]
    async fn without_resolvers_there_is_no_answer() {
        assert_eq!(Upstreams::default().ask(&[0; 12], false).await, None);
    }
}
