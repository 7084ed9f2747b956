//! Callers of each protocol against a runtime that runs `cat`, or ends at once.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::spdy;

const STATUS: &[u8] = br#"{"status":"Success"}"#;

/// A runtime's server: what comes in on standard input goes out on standard output; with `last_words`
/// that is all that is said, at once.
fn runtime(last_words: Option<&'static [u8]>) -> StreamServer {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let serve = service_fn(move |mut request: Request<Incoming>| async move {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let upgraded = TokioIo::new(upgrade.await.unwrap());
                let mut streams: Vec<(String, DuplexStream)> = Vec::new();
                let open = move |headers: Headers, stream| -> spdy::Task {
                    let kind = headers.get("streamtype").unwrap().to_owned();
                    streams.push((kind, stream));
                    if streams.len() < 3 {
                        return Box::pin(std::future::ready(()));
                    }
                    let mut take = |wanted: &str| {
                        let at = streams.iter().position(|(kind, _)| kind == wanted).unwrap();
                        streams.remove(at).1
                    };
                    let [mut status, mut stdin, mut stdout] =
                        ["error", "stdin", "stdout"].map(&mut take);
                    Box::pin(async move {
                        if let Some(words) = last_words {
                            stdout.write_all(words).await.unwrap();
                        } else {
                            tokio::io::copy(&mut stdin, &mut stdout).await.unwrap();
                        }
                        drop(stdout);
                        status.write_all(STATUS).await.unwrap();
                    })
                };
                let _ = spdy::serve(upgraded, open).await;
            });
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("connection", "upgrade")
                .header("upgrade", "SPDY/3.1");
            Ok::<_, Infallible>(response.body(Empty::<Bytes>::new()).unwrap())
        });
        let http = http1::Builder::new().serve_connection(TokioIo::new(far), serve);
        let _ = http.with_upgrades().await;
    });
    StreamServer::Pipe(near)
}

async fn call(protocol: &'static str, server: StreamServer) -> WebSocketStream<DuplexStream> {
    let (near, far) = tokio::io::duplex(4096);
    let protocol = Protocol::choose([protocol].into_iter()).unwrap();
    let streams = Streams {
        stdin: true,
        stdout: true,
        ..Streams::default()
    };
    tokio::spawn(async move {
        let socket = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        run(socket, server, protocol, streams).await;
    });
    WebSocketStream::from_raw_socket(near, Role::Client, None).await
}

/// What comes on each of the two channels, until the server says goodbye.
async fn hear(
    messages: &mut (
             impl futures::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin
         ),
) -> (Vec<u8>, Vec<u8>) {
    let (mut output, mut status) = (Vec::new(), Vec::new());
    while let Some(Ok(message)) = messages.next().await {
        if let Message::Binary(data) = message {
            match data[0] {
                channel::STDOUT => output.extend_from_slice(&data[1..]),
                channel::ERROR => status.extend_from_slice(&data[1..]),
                other => panic!("channel {other}"),
            }
        }
    }
    (output, status)
}

#[tokio::test]
async fn closing_input_ends_a_command_that_reads_it_whole() {
    let socket = call("v5.channel.k8s.io", runtime(None)).await;
    let (mut to_server, mut from_server) = socket.split();
    // More than all buffers on the way hold, both ways: neither may wait for the other.
    let sent: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let talk = async {
        for part in sent.chunks(30_000) {
            let message = Message::binary([&[0], part].concat());
            to_server.send(message).await.unwrap();
        }
        to_server.send(Message::binary(vec![255, 0])).await.unwrap();
    };
    let ((), (output, status)) = tokio::join!(talk, hear(&mut from_server));
    assert!(output == sent, "{} of {} bytes", output.len(), sent.len());
    assert_eq!(status, STATUS);
}

#[tokio::test]
async fn nothing_is_lost_of_a_command_that_ends_at_once() {
    for protocol in ["v4.channel.k8s.io", "v5.channel.k8s.io"] {
        let mut socket = call(protocol, runtime(Some(b"goodbye"))).await;
        let (output, status) = hear(&mut socket).await;
        assert_eq!(
            (output.as_slice(), status.as_slice()),
            (&b"goodbye"[..], STATUS)
        );
    }
}

#[tokio::test]
async fn text_protocols_speak_base64() {
    let mut socket = call("v4.base64.channel.k8s.io", runtime(Some(b"goodbye"))).await;
    let mut said = Vec::new();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        said.push(text.to_string());
    }
    assert_eq!(
        said,
        ["1", "1Z29vZGJ5ZQ==", "3eyJzdGF0dXMiOiJTdWNjZXNzIn0="]
    );
}

#[tokio::test]
async fn a_caller_that_vanishes_ends_the_session() {
    let (near, far) = tokio::io::duplex(4096);
    let protocol = Protocol::choose([].into_iter()).unwrap();
    let streams = Streams {
        stdin: true,
        stdout: true,
        ..Streams::default()
    };
    let socket = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    let session = tokio::spawn(run(socket, runtime(None), protocol, streams));
    drop(near);
    let ended = tokio::time::timeout(FAREWELL, session).await;
    assert!(ended.is_ok(), "`cat` goes on reading, but for nobody");
}
