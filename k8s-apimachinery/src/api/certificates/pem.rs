//! PEM: blocks of base64 between marked lines (RFC 7468). What the blocks hold is not looked into.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What stands behind `BEGIN`.
    pub(super) label: String,
    /// Whether there are headers before the data.
    pub(super) has_headers: bool,
    /// The data, decoded.
    pub(super) data: Vec<u8>,
}

/// All well-formed blocks of a text, in order. Like Go's decoder, passes over everything else.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let label = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"));
        let Some(label) = label else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        let mut has_headers = false;
        let mut is_closed = false;
        for line in lines.by_ref() {
            if line == end {
                is_closed = true;
                break;
            }
            match line.contains(':') {
                true => has_headers = true,
                false => body.push_str(line),
            }
        }
        if let (true, Ok(data)) = (is_closed, STANDARD.decode(&body)) {
            let label = label.to_owned();
            blocks.push(Block {
                label,
                has_headers,
                data,
            });
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_between_their_marks() {
        let text = "first\n-----BEGIN A-----\nYWJj\n-----END A-----\n\n-----BEGIN B-----\nK: v\n\nZGVm\n-----END B-----\n-----BEGIN C-----\nYQ==\n";
        let found = blocks(text);
        let found: Vec<_> = found
            .iter()
            .map(|block| (block.label.as_str(), block.has_headers, &block.data[..]))
            .collect();
        assert_eq!(found, [("A", false, &b"abc"[..]), ("B", true, &b"def"[..])]);
    }
}
