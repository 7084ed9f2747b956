//! Clients that are slow, loud, or break off, over TLS on loopback.
//!
//! Where time has to pass it is tokio's, which moves on at once when everybody waits.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use k8s_apiserver::{
    ApiServer,
    pki::{Pki, PkiOptions},
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    time::{pause, sleep},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{check_memory, server};

/// What HTTP/2 connections begin with, and settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM_AND_HEADERS: u8 = 5;
/// `GET https://localhost/`, in HPACK.
const GET: &[u8] = b"\x82\x87\x84\x41\x09localhost";

struct Running {
    _server: ApiServer,
    pki: Pki,
    address: SocketAddr,
    cancel: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Running {
    async fn start() -> Running {
        let server = server().await;
        let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let (serving, tls) = (server.clone(), pki.server_tls().unwrap());
        let until = cancel.clone();
        tokio::spawn(async move { serving.serve(listener, tls, until).await });
        Running {
            _server: server,
            pki,
            address,
            cancel,
        }
    }

    async fn dial(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut tls = (*self.pki.client_tls(self.pki.admin()).unwrap()).clone();
        tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(tls));
        connector.connect(name, stream).await.unwrap()
    }

    /// Sends, and reads until the server has nothing more to say.
    async fn exchange(&self, request: &[u8]) -> String {
        let (mut from, mut to) = split(self.dial("http/1.1").await);
        let send = async {
            // The server may hang up before the end.
            let _ = to.write_all(request).await;
            let _ = to.flush().await;
        };
        let (_, answer) = tokio::join!(send, read_all(&mut from));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Whether others are served.
    async fn check(&self) {
        let request = "GET /version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let answer = self.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        check_memory();
    }
}

/// All that comes until the end, however it ends.
async fn read_all(from: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = from.read_to_end(&mut all).await;
    all
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The kinds of the frames in a row of them.
fn kinds(mut wire: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some((&[a, b, c, kind, ..], rest)) = wire.split_first_chunk::<9>() {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        wire = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn who_never_asks_is_cut_off() {
    let running = Running::start().await;
    for (protocol, beginning) in [
        ("http/1.1", &b""[..]),
        ("http/1.1", b"PRI"),
        ("http/1.1", b"GET /version HTTP/1.1\r\nhost: "),
        ("h2", b""),
        ("h2", &PREFACE[..20]),
        ("h2", PREFACE),
    ] {
        let mut stream = running.dial(protocol).await;
        stream.write_all(beginning).await.unwrap();
        stream.flush().await.unwrap();
        pause();
        // Pings of HTTP/2 come meanwhile, and aren't answered.
        read_all(&mut stream).await;
        tokio::time::resume();
    }
    running.check().await;
}

#[tokio::test]
async fn headers_and_bodies_that_trickle_are_cut_off() {
    let running = Running::start().await;
    let head = "POST /api/v1/namespaces HTTP/1.1\r\nhost: localhost\r\n";
    let body = format!("{head}content-type: application/json\r\ncontent-length: 1000000\r\n\r\n");
    for beginning in [head.to_owned(), body] {
        let (mut from, mut to) = split(running.dial("http/1.1").await);
        to.write_all(beginning.as_bytes()).await.unwrap();
        to.flush().await.unwrap();
        pause();
        let trickle = async {
            loop {
                sleep(Duration::from_secs(5)).await;
                let sent = to.write_all(b"a").await.and(to.flush().await);
                if sent.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = trickle => {}
            answer = read_all(&mut from) => {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                let is_refused = ["", "HTTP/1.1 408", "HTTP/1.1 504"].iter().any(|start| {
                    answer.starts_with(start) && start.is_empty() == answer.is_empty()
                });
                assert!(is_refused, "{answer}");
            }
        }
        tokio::time::resume();
    }
    running.check().await;
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let running = Running::start().await;
    let many: String = (0..5_000).map(|i| format!("x-{i}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(4 << 20));
    let endless = "x".repeat(4 << 20);
    for headers in [many, long, endless] {
        let request = format!("GET /version HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        let answer = running.exchange(request.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }
    // Over HTTP/2 a header may go on and on in further frames.
    let (mut from, mut to) = split(running.dial("h2").await);
    let flood = async {
        to.write_all(PREFACE).await?;
        to.write_all(&frame(HEADERS, 1, 1, GET)).await?;
        let field = [&b"\0\x01x\x7f\x81\x01"[..], &[b'y'; 256]].concat();
        for _ in 0..20_000 {
            to.write_all(&frame(CONTINUATION, 0, 1, &field)).await?;
        }
        to.flush().await
    };
    let (_, answer) = tokio::join!(flood, read_all(&mut from));
    let kinds = kinds(&answer);
    let is_cut = kinds.contains(&GOAWAY) || kinds.contains(&RST_STREAM) || kinds.len() < 4;
    assert!(is_cut, "{kinds:?}");
    running.check().await;
}

#[tokio::test]
async fn bodies_without_end_are_too_large() {
    let running = Running::start().await;
    let head =
        "POST /api/v1/namespaces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let declared = format!("{head}content-length: 99999999999\r\n\r\n");
    let answer = running.exchange(declared.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    let chunk = [&b"10000\r\n"[..], &[b' '; 0x10000], b"\r\n"].concat();
    chunked.extend(chunk.repeat(400));
    let answer = running.exchange(&chunked).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    running.check().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_one_by_one() {
    const COUNT: usize = 2_000;
    let running = Running::start().await;
    let request = "GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(COUNT - 1);
    let last = "GET /version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = running.exchange((request + last).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), COUNT);
    running.check().await;
}

#[tokio::test]
async fn rapid_resets_hold_up_nobody() {
    let running = Running::start().await;
    let (mut from, mut to) = split(running.dial("h2").await);
    let flood = async {
        to.write_all(PREFACE).await?;
        for number in 0..50_000 {
            let stream = 2 * number + 1;
            let request = frame(HEADERS, END_STREAM_AND_HEADERS, stream, GET);
            let reset = frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
            to.write_all(&[request, reset].concat()).await?;
        }
        to.flush().await
    };
    let others = async {
        let _ = flood.await;
        running.check().await;
        running.cancel.cancel();
    };
    let (answer, ()) = tokio::join!(read_all(&mut from), others);
    // It is told to calm down, or was served as fast as it came.
    assert!(kinds(&answer).contains(&GOAWAY));
}
