//! Ranges: pages of a prefix, all at one revision.

use bytes::Bytes;
use etcd_client::{Client, GetOptions, GetResponse, proto::PbKeyValue};

use super::{
    fault::Fault,
    servers::{Repeat, Servers},
};
use crate::{KeyValue, Page, Range, Revision};

/// How many keys are asked for at once: memory on both sides, and what a repeated call costs.
const PAGE: usize = 2_000;

/// Reads a range, in pages if it is long, all at the revision of the first one.
pub(super) async fn read(servers: &Servers, range: &Range) -> Result<Page, Fault> {
    let end = end_of(&range.prefix);
    let mut from = start_of(range);
    let mut page = Page::default();
    let mut at = range.at.map_or(0, number);
    loop {
        let wanted = range
            .limit
            .map_or(PAGE, |limit| PAGE.min(limit - page.items.len()));
        let options = GetOptions::new().with_range(end.clone()).with_revision(at);
        let options = match wanted {
            0 => options.with_count_only(), // a limit of 0 would be none
            wanted => options.with_limit(wanted.try_into().unwrap_or(i64::MAX)),
        };
        let answer = get(servers, &from, options).await?;
        let header = answer.0.header.unwrap_or_default();
        if at == 0 {
            at = header.revision;
        }
        let count = usize::try_from(answer.0.count).unwrap_or(0);
        page.remaining = count - answer.0.kvs.len();
        page.items.extend(answer.0.kvs.into_iter().map(key_value));
        let full = range.limit.is_some_and(|limit| page.items.len() >= limit);
        if page.remaining == 0 || full {
            page.revision = range.at.unwrap_or(revision(at));
            return Ok(page);
        }
        from = behind(&page.items.last().expect("some were asked for").key);
    }
}

/// Reads linearizably.
pub(super) async fn get(
    servers: &Servers,
    key: &[u8],
    options: GetOptions,
) -> Result<GetResponse, Fault> {
    let request = |client: Client| {
        let (key, options) = (key.to_vec(), options.clone());
        async move { unlimited(&client).get(key, Some(options)).await }
    };
    servers.ask(Repeat::Always, request).await
}

/// Answers may be of any size: the cluster is trusted, and its objects are bounded.
fn unlimited(client: &Client) -> etcd_client::KvClient {
    client.kv_client().max_decoding_message_size(usize::MAX)
}

/// The first key that may match. etcd knows no empty key.
fn start_of(range: &Range) -> Vec<u8> {
    let after = range.after.as_ref().map(|after| behind(after));
    let start = after.unwrap_or_default().max(range.prefix.to_vec());
    if start.is_empty() { vec![0] } else { start }
}

/// The next key there is.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The first key behind all with a prefix; `\0` is etcd's word for the end of all keys.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    match prefix.iter().rposition(|byte| *byte < u8::MAX) {
        Some(at) => {
            let mut end = prefix[..=at].to_vec();
            end[at] += 1;
            end
        }
        None => vec![0],
    }
}

/// etcd's own form of a key with its value, whose bytes are taken over.
pub(super) fn key_value(kv: PbKeyValue) -> KeyValue {
    KeyValue {
        key: Bytes::from(kv.key),
        value: Bytes::from(kv.value),
        created: revision(kv.create_revision),
        modified: revision(kv.mod_revision),
    }
}

pub(super) fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or(0))
}

/// The state before everything is that at revision 1, where etcd begins; 0 would mean now.
pub(super) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX).max(1)
}

/// Whether the state at a revision can still be read.
pub(super) async fn is_retained(servers: &Servers, at: Revision) -> Result<bool, Fault> {
    let options = GetOptions::new()
        .with_count_only()
        .with_revision(number(at));
    match get(servers, super::servers::PROBE.as_bytes(), options).await {
        Ok(_) => Ok(true),
        Err(Fault::Compacted) => Ok(false),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        let table: [(&[u8], &[u8]); 4] = [
            (b"a/", b"a0"),
            (b"a\xff", b"b"),
            (b"\xff\xff", b"\0"),
            (b"", b"\0"),
        ];
        for (prefix, end) in table {
            assert_eq!(end_of(prefix), end, "{prefix:?}");
        }
    }

    #[test]
    fn a_page_continues_behind_its_key_but_never_before_its_prefix() {
        let start = |prefix: &'static str, after: Option<&'static str>| {
            start_of(&Range {
                prefix: prefix.into(),
                after: after.map(Bytes::from),
                ..Range::default()
            })
        };
        assert_eq!(start("", None), b"\0");
        assert_eq!(start("b/", None), b"b/");
        assert_eq!(start("b/", Some("a")), b"b/");
        assert_eq!(start("b/", Some("b/1")), b"b/1\0");
    }
}
