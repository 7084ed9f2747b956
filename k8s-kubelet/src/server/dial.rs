//! Calls a runtime's streaming server, and asks it to upgrade.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::cri::StreamServer;

/// How much of a refusal is passed on, in bytes.
const MAX_REFUSAL: usize = 8 * 1024;

/// What a streaming server answers.
pub(super) enum Answer {
    /// It changed protocols: the head of its answer, and the stream.
    Switched(HeaderMap, TokioIo<Upgraded>),
    /// It did not.
    Refused(Response<Bytes>),
}

/// Sends the one request that a streaming server was prepared for.
pub(super) async fn upgrade(
    server: StreamServer,
    method: Method,
    headers: HeaderMap,
) -> Result<Answer, String> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let url = match server {
        StreamServer::Pipe(pipe) => {
            let host = http::HeaderValue::from_static("localhost");
            request.headers_mut().insert(header::HOST, host);
            return exchange(pipe, request).await;
        }
        StreamServer::Url(url) => url,
    };
    let wrong = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.parse().map_err(|error| wrong(&error))?;
    request.headers_mut().insert(header::HOST, host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| wrong(&error))?;
    let host = uri.host().unwrap_or("127.0.0.1").trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await;
    let stream = stream.map_err(|error| wrong(&error))?;
    let _ = stream.set_nodelay(true);
    exchange(stream, request).await
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_REFUSAL).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes);
            let refusal = Response::from_parts(parts, body.unwrap_or_default());
            return Ok(Answer::Refused(refusal));
        }
        let headers = response.headers().clone();
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded = upgraded.map_err(|error| error.to_string())?;
        Ok(Answer::Switched(headers, TokioIo::new(upgraded)))
    };
    let (answer, _) = tokio::join!(exchange, connection.with_upgrades());
    answer
}
