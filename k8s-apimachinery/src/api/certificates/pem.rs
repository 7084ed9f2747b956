//! The textual form of certificates (RFC 7468), as far as validation looks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// One block: what its lines say it is, and what it holds.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    pub(super) has_headers: bool,
    pub(super) bytes: Vec<u8>,
}

/// The well-formed blocks of a text, in order; what is between them is passed over.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        rest = after;
        let Some((label, body)) = after.split_once("-----") else {
            break;
        };
        let end = format!("-----END {label}-----");
        let Some((body, after)) = body.split_once(end.as_str()) else {
            continue;
        };
        let data: String = body.split_ascii_whitespace().collect();
        let has_headers = body.contains(':');
        if let Ok(bytes) = BASE64.decode(if has_headers { "" } else { &data }) {
            found.push(Block {
                label,
                has_headers,
                bytes,
            });
            rest = after;
        }
    }
    found
}
