//! A local etcd to compare with, spoken to as its own clients do: gRPC over one connection.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::{BufMut, Bytes};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    Request,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// A running etcd, which ends with this.
pub struct Etcd {
    process: Child,
    address: String,
}

impl Etcd {
    /// Starts `$ETCD`, or `etcd`, with an empty data directory and its default durability.
    pub async fn start(data: &Path) -> Result<Etcd> {
        let port =
            || Ok::<u16, std::io::Error>(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let address = format!("127.0.0.1:{}", port()?);
        let (client, peer) = (
            format!("http://{address}"),
            format!("http://127.0.0.1:{}", port()?),
        );
        let program = std::env::var("ETCD").unwrap_or_else(|_| "etcd".to_owned());
        let process = Command::new(&program)
            .arg("--data-dir")
            .arg(data)
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {program}: it is Debian's etcd-server"))?;
        let etcd = Etcd { process, address };
        let begun = Instant::now();
        loop {
            let put = async { etcd.connect().await?.put("ready", b"yes").await };
            match put.await {
                Ok(()) => return Ok(etcd),
                Err(error) if begun.elapsed() > Duration::from_secs(30) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection); // ends with the last of its clients
        let url = format!("http://{}/etcdserverpb.KV/Put", self.address);
        Ok(Client { requests, url })
    }

    /// What it says it is.
    pub async fn version(&self) -> Result<String> {
        let version: serde_json::Value = serde_json::from_str(&self.text("/version").await?)?;
        Ok(version["etcdserver"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// How often it has synced its log or its database.
    pub async fn fsyncs(&self) -> Result<u64> {
        let metrics = self.text("/metrics").await?;
        let counts = metrics.lines().filter_map(|line| {
            let (name, count) = line.split_once(' ')?;
            let syncs = [
                "etcd_disk_wal_fsync_duration_seconds_count",
                "etcd_disk_backend_commit_duration_seconds_count",
            ];
            syncs.contains(&name).then(|| count.parse::<u64>().ok())?
        });
        Ok(counts.sum())
    }

    /// Bytes that it has caused to be written to disk.
    pub fn written(&self) -> Result<u64> {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", self.pid()))?;
        let line = counts
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(line.context("the kernel counts it")?.parse()?)
    }

    async fn text(&self, path: &str) -> Result<String> {
        let stream = TcpStream::connect(&self.address).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get(path)
            .header("host", &self.address)
            .body(Empty::<Bytes>::new())?;
        let body = requests.send_request(request).await?.collect().await?;
        Ok(String::from_utf8(body.to_bytes().into())?)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that can do one thing.
#[derive(Clone)]
pub struct Client {
    requests: http2::SendRequest<Full<Bytes>>,
    url: String,
}

impl Client {
    /// `etcdserverpb.KV/Put`: `PutRequest` is `key = 1`, `value = 2`.
    pub async fn put(&mut self, key: &str, value: &[u8]) -> Result<()> {
        let mut message = Vec::with_capacity(key.len() + value.len() + 16);
        message.put_u8(0); // not compressed
        message.put_u32(0);
        for (tag, bytes) in [(0x0a, key.as_bytes()), (0x12, value)] {
            message.put_u8(tag);
            put_varint(&mut message, bytes.len());
            message.put_slice(bytes);
        }
        let length = u32::try_from(message.len() - 5)?;
        message[1..5].copy_from_slice(&length.to_be_bytes());
        let request = Request::post(&self.url)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::from(message))?;
        self.requests.ready().await?;
        let answer = self.requests.send_request(request).await?;
        let refused = answer.headers().get("grpc-status").cloned();
        let body = answer.into_body().collect().await?;
        let status = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"))
            .cloned();
        match refused.or(status) {
            Some(status) if status == "0" => Ok(()),
            status => bail!("etcd answers with status {status:?}"),
        }
    }
}

fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}
