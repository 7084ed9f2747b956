//! Compaction by one of many: every process tries to move the same key on, and whoever succeeds
//! compacts up to where the cluster was an interval ago.
//!
//! The key is the one of Kubernetes' API servers, `compact_rev_key`, whose version counts the rounds,
//! so that both may share a cluster.

use std::{sync::Arc, time::Duration};

use etcd_client::{Client, Compare, CompareOp, TxnOp, proto::PbTxnOpResponse};
use tokio::time::sleep;

use super::{
    fault::Fault,
    range,
    servers::{Repeat, Servers},
};
use crate::Revision;

const KEY: &str = "compact_rev_key";

/// What a process remembers from one interval to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// The version of the key: how many rounds there have been.
    number: i64,
    /// The newest revision then.
    revision: Revision,
}

/// Compacts for ever, unless others are first.
pub(super) async fn run(servers: Arc<Servers>, every: Duration) {
    let mut last = Round::default();
    loop {
        sleep(every).await;
        match round(&servers, last).await {
            Ok(next) => last = next,
            Err(fault) => tracing::warn!(?fault, "cannot compact etcd; trying again later"),
        }
    }
}

/// Claims the round after the last one that this process knows of. A new process, which knows of
/// none, loses its first one and learns.
async fn round(servers: &Servers, last: Round) -> Result<Round, Fault> {
    let claim = |mut client: Client| async move {
        let value = last.revision.to_string();
        let known = Compare::version(KEY, CompareOp::Equal, last.number);
        let claim = etcd_client::Txn::new()
            .when([known])
            .and_then([TxnOp::put(KEY, value, None)])
            .or_else([TxnOp::get(KEY, None)]);
        client.txn(claim).await
    };
    // Repeated although it was done, it finds itself late: then nobody compacts this time.
    let answer = servers.ask(Repeat::Always, claim).await?.0;
    let revision = range::revision(answer.header.unwrap_or_default().revision);
    if !answer.succeeded {
        let found = answer
            .responses
            .into_iter()
            .find_map(|read| match read.response {
                Some(PbTxnOpResponse::ResponseRange(range)) => range.kvs.into_iter().next(),
                _ => None,
            });
        let number = found.map_or(0, |kv| kv.version);
        return Ok(Round { number, revision });
    }
    if last.revision > Revision::ZERO {
        match compact(servers, last.revision).await {
            Ok(()) | Err(Fault::Compacted) => (),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Round {
        number: last.number + 1,
        revision,
    })
}

/// Forgets history up to a revision.
pub(super) async fn compact(servers: &Servers, at: Revision) -> Result<(), Fault> {
    let compact =
        |mut client: Client| async move { client.compact(range::number(at), None).await.map(drop) };
    servers.ask(Repeat::Always, compact).await
}
