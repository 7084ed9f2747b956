//! `kuard get URL`: plain HTTP from inside a pod, through the cluster's DNS.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::resolve;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The body of `url`, or why there is none: other statuses than 2xx are errors.
pub(crate) async fn get(url: &str) -> Result<String, String> {
    timeout(TIMEOUT, fetch(url))
        .await
        .map_err(|_| format!("{url}: timed out"))?
}

async fn fetch(url: &str) -> Result<String, String> {
    let because = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let uri: Uri = url.parse().map_err(|e| because(&e))?;
    let host = uri.host().ok_or_else(|| because(&"no host"))?;
    let address = match host.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => {
            let answer = resolve::query(host, "A").await?;
            answer.records[0].parse().map_err(|e| because(&e))?
        }
    };
    let port = uri.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((address, port))
        .await
        .map_err(|e| because(&e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| because(&e))?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, host)
        .header("accept", "application/json");
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|e| because(&e))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| because(&e))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|e| because(&e))?
        .to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() {
        Ok(text)
    } else {
        Err(because(&format!("{status}: {}", text.trim_end())))
    }
}
