//! Large answers are compressed for clients that take gzip, as by Kubernetes (APIResponseCompression).

use std::io::{self, Write};

use bytes::{Buf, Bytes};
use flate2::{Compression, write::GzEncoder};
use futures::stream;
use http::{HeaderMap, HeaderValue, header};

use crate::{BoxError, Response, body};

/// Answers of fewer bytes aren't worth the work.
const THRESHOLD: usize = 128 * 1024;

/// How much is compressed at a time, in bytes: a few milliseconds' work, between which others have their turn.
const STEP: usize = 256 * 1024;

/// Whether an answer is large and its client takes gzip.
pub(super) fn is_worth_it(bytes: &Bytes, headers: &HeaderMap) -> bool {
    bytes.len() > THRESHOLD && accepts_gzip(headers)
}

/// Whether `Accept-Encoding` names gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip")
}

/// The response with these bytes as its body, compressed while it is sent.
pub(super) fn gzipped(response: Response, bytes: Bytes) -> Response {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let chunks = stream::unfold(Some((encoder, bytes)), |rest| async {
        let (encoder, bytes) = rest?;
        Some(match next(encoder, bytes) {
            Ok((chunk, rest)) => (Ok(chunk), rest),
            Err(error) => (Err(BoxError::from(error)), None),
        })
    });
    let (mut parts, _) = response.into_parts();
    let headers = &mut parts.headers;
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(parts, body::stream(chunks))
}

type Encoder = GzEncoder<Vec<u8>>;

/// Compresses until there is something to send; without a rest, that is the end.
fn next(mut encoder: Encoder, mut bytes: Bytes) -> io::Result<(Bytes, Option<(Encoder, Bytes)>)> {
    while bytes.has_remaining() {
        let step = bytes.split_to(bytes.len().min(STEP));
        encoder.write_all(&step)?;
        let chunk = std::mem::take(encoder.get_mut());
        if !chunk.is_empty() {
            return Ok((chunk.into(), Some((encoder, bytes))));
        }
    }
    Ok((encoder.finish()?.into(), None))
}
