//! Looks at what a crash has left, at rest.

use anyhow::{Context, Result};
use bytes::Bytes;
use k8s_store::{Range, Store, embedded::EmbeddedStore};

use crate::{
    account::Account,
    workload::{self, WATCHED, Word},
};

/// Resumes every watcher from its last revision to the present, then settles the account.
pub(crate) async fn verify(store: &EmbeddedStore, account: &mut Account) -> Result<()> {
    let page = store.range(Range::default()).await?;
    for (watcher, mut at) in account.resume().into_iter().enumerate() {
        let mut stream = store
            .watch(Bytes::from(WATCHED[watcher]), at)
            .await
            .with_context(|| format!("watcher {watcher} can't resume at {at}"))?;
        while at < page.revision {
            let next = workload::next(&mut stream, watcher).await?;
            let (step, seen) = next.context("the watch has ended")?;
            account.hear(Word::Seen(watcher, step, seen))?;
            at = seen;
        }
    }
    account.settle(&page)
}
