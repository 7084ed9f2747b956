//! The embedded store's log, damaged: either it says so, or what it holds is how things once were.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use k8s_store::{
    KeyValue, Op, Range, Revision, Store, Txn,
    embedded::{EmbeddedOptions, EmbeddedStore, Files},
    testing::{Dice, SimulatedDisk},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::Target;
use crate::mutate;

/// Transactions in the log.
const COMMITS: u8 = 12;

pub(super) struct StoreLog {
    runtime: Runtime,
    /// The lock in it is real.
    dir: TempDir,
    /// The log's one file.
    name: String,
    log: Vec<u8>,
    /// What there was at each revision.
    history: Vec<Vec<KeyValue>>,
}

impl StoreLog {
    pub(super) fn new() -> Self {
        let runtime = Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let made = runtime.block_on(write(dir.path()));
        let (name, log, history) = made.expect("a sound disk takes all writes");
        StoreLog {
            runtime,
            dir,
            name,
            log,
            history,
        }
    }
}

impl Target for StoreLog {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut log = self.log.clone();
        mutate::mutate(dice, &mut log, &["k8s-store/1\n", "key"]);
        log
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let disk = SimulatedDisk::default();
        let path = self.dir.path().join(&self.name);
        disk.create(&path)?.append(input)?;
        self.runtime.block_on(async {
            let opened =
                EmbeddedStore::open_on(Arc::new(disk), self.dir.path(), EmbeddedOptions::default());
            let Ok(store) = opened.await else {
                return Ok(());
            };
            let page = store.range(Range::default()).await?;
            let index = usize::try_from(page.revision.0)?;
            let then = self.history.get(index);
            let then = then.with_context(|| format!("revision {index} never was"))?;
            ensure!(
                page.items == *then,
                "revision {index} was other than {:?}",
                page.items
            );
            store.close().await;
            Ok(())
        })
    }
}

/// A log of puts and deletes, and what there was after each.
async fn write(dir: &Path) -> Result<(String, Vec<u8>, Vec<Vec<KeyValue>>)> {
    let disk = SimulatedDisk::default();
    let store =
        EmbeddedStore::open_on(Arc::new(disk.clone()), dir, EmbeddedOptions::default()).await?;
    let mut history = vec![Vec::new()];
    for number in 1..=COMMITS {
        let key = Bytes::from(format!("/key/{}", number % 5));
        let op = match number % 4 {
            0 => Op::Delete { key },
            _ => Op::Put {
                key,
                value: Bytes::from(vec![number; usize::from(number)]),
            },
        };
        store
            .commit(Txn {
                compares: Vec::new(),
                ops: vec![op],
            })
            .await?;
        let page = store.range(Range::default()).await?;
        // A delete of what isn't there changes nothing.
        if page.revision > Revision(history.len() as u64 - 1) {
            history.push(page.items);
        }
    }
    store.close().await;
    let names = disk.list(dir)?;
    let name = names
        .into_iter()
        .find(|name| name.ends_with(".log"))
        .context("a log")?;
    let mut log = Vec::new();
    disk.read(&dir.join(&name))?.0.read_to_end(&mut log)?;
    Ok((name, log, history))
}
