//! A durable count that survives whatever ends the program, and a watch that resumes:
//! `cargo run -p embedded-store -- target/counter`

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use k8s_store::{Compare, Op, Store, Txn, TxnOutcome, WatchItem, embedded::EmbeddedStore};

#[tokio::main]
async fn main() -> Result<()> {
    let dir = std::env::args().nth(1).context("name a directory")?;
    let store = EmbeddedStore::open(dir).await?;

    let (found, before) = store.get(b"count").await?;
    let (count, unchanged) = match found {
        None => (0, Compare::Absent("count".into())),
        Some(kv) => (
            std::str::from_utf8(&kv.value)?.parse::<u64>()?,
            Compare::Modified(kv.key, kv.modified),
        ),
    };
    let (key, value) = ("count".into(), (count + 1).to_string().into());
    let txn = Txn {
        compares: vec![unchanged], // whoever came in between wins
        ops: vec![Op::Put { key, value }],
    };
    let TxnOutcome::Committed(now) = store.commit(txn).await? else {
        bail!("somebody else has counted");
    };
    println!("count {} is on disk at revision {now}", count + 1);

    let mut changes = store.watch("".into(), before).await?;
    if let Some(WatchItem::Events(at, events)) = changes.next().await.transpose()? {
        println!("revision {at} changed {} key", events.len());
    }
    Ok(())
}
