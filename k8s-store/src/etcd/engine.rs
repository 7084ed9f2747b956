//! The engine's handle.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use etcd_client::{Client, GetOptions};
use tokio::{sync::watch, task::JoinSet};

use super::{
    compact,
    fault::Fault,
    lease::Leases,
    options::EtcdOptions,
    range,
    servers::{PROBE, Repeat, Servers},
    transaction,
    watch::Watch,
};
use crate::{
    KeyValue, Page, Range, Revision, Store, StoreError, Txn, TxnOutcome, WatchStream,
    version::reject_duplicates,
};

/// The keys and history of an etcd cluster. Dropping it ends its watches and its part in compaction.
pub struct EtcdStore {
    servers: Arc<Servers>,
    leases: Leases,
    /// The last compacted revision that is known; 0 and 1 are the same.
    floor: AtomicU64,
    /// Asks all watches for their progress.
    ask: watch::Sender<()>,
    /// Ended when dropped.
    _tasks: JoinSet<()>,
}

impl EtcdStore {
    /// Connects to a cluster, which must answer.
    pub async fn connect(options: EtcdOptions) -> Result<Self, StoreError> {
        let servers = Arc::new(Servers::new(&options)?);
        let mut tasks = JoinSet::new();
        if let Some(every) = options.compact_every {
            tasks.spawn(compact::run(Arc::clone(&servers), every));
        }
        let store = EtcdStore {
            servers,
            leases: Leases::default(),
            floor: AtomicU64::new(0),
            ask: watch::Sender::new(()),
            _tasks: tasks,
        };
        store.current().await?;
        Ok(store)
    }

    /// The last compacted revision. etcd doesn't say, but answers whether a revision can be read.
    async fn floor(&self, current: Revision) -> Result<Revision, Fault> {
        let mut low = self.floor.load(Relaxed).max(1);
        if !range::is_retained(&self.servers, Revision(low)).await? {
            let mut high = current.0;
            low += 1;
            while low < high {
                let middle = low + (high - low) / 2;
                match range::is_retained(&self.servers, Revision(middle)).await? {
                    true => high = middle,
                    false => low = middle + 1,
                }
            }
            self.floor.fetch_max(low, Relaxed);
        }
        // At 1 nothing had been written, and nothing can have been forgotten.
        Ok(Revision(if low == 1 { 0 } else { low }))
    }

    /// Fills in what the caller of a read or a compaction wants to know about revisions.
    async fn explain(&self, fault: Fault, requested: Revision) -> StoreError {
        let known = match &fault {
            Fault::Compacted | Fault::Future => self.revisions().await,
            _ => return fault.of_read(),
        };
        match (fault, known) {
            (_, Err(error)) => error,
            (Fault::Future, Ok((current, _))) => StoreError::Future { requested, current },
            (_, Ok((_, compacted))) => StoreError::Compacted {
                requested,
                compacted,
            },
        }
    }

    /// Whether history goes back to a revision, and has come so far.
    async fn check(&self, requested: Revision) -> Result<(), StoreError> {
        let (current, compacted) = self.revisions().await?;
        if requested > current {
            return Err(StoreError::Future { requested, current });
        }
        if requested < compacted {
            return Err(StoreError::Compacted {
                requested,
                compacted,
            });
        }
        Ok(())
    }

    async fn send(&self, txn: &Txn) -> Result<TxnOutcome, Fault> {
        let leases =
            self.leases
                .of(&self.servers, &txn.ops)
                .await
                .map_err(|fault| match fault {
                    // A lease that was granted or not, and isn't used, goes by itself.
                    Fault::Unknown(detail) => Fault::Elsewhere(detail),
                    fault => fault,
                })?;
        let send = |client: Client| {
            let request = transaction::request(&txn.compares, &txn.ops, &leases);
            async move {
                let mut kv = client.kv_client().max_decoding_message_size(usize::MAX);
                kv.txn(request).await
            }
        };
        let sent = self.servers.ask(Repeat::IfNotDone, send).await;
        if let Err(Fault::LeaseGone) = sent {
            self.leases.forget(&leases);
        }
        sent.map(transaction::outcome)
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &[u8]) -> Result<(Option<KeyValue>, Revision), StoreError> {
        let answer = range::get(&self.servers, key, GetOptions::new()).await;
        let answer = answer.map_err(Fault::of_read)?.0;
        let found = answer.kvs.into_iter().next().map(range::key_value);
        Ok((
            found,
            range::revision(answer.header.unwrap_or_default().revision),
        ))
    }

    async fn range(&self, range: Range) -> Result<Page, StoreError> {
        if range.at == Some(Revision::ZERO) {
            self.check(Revision::ZERO).await?;
        }
        match range::read(&self.servers, &range).await {
            Ok(page) => Ok(page),
            Err(fault) => Err(self.explain(fault, range.at.unwrap_or_default()).await),
        }
    }

    async fn commit(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        reject_duplicates(&txn.ops)?;
        let mut sent = self.send(&txn).await;
        if let Err(Fault::LeaseGone) = sent {
            sent = self.send(&txn).await;
        }
        sent.map_err(Fault::of_write)
    }

    async fn watch(&self, prefix: Bytes, from: Revision) -> Result<WatchStream, StoreError> {
        self.check(from).await?;
        let asked = self.ask.subscribe();
        let servers = Arc::clone(&self.servers);
        Ok(Watch::start(servers, prefix, from, asked).await?.stream())
    }

    async fn compact(&self, at: Revision) -> Result<(), StoreError> {
        self.check(at).await?;
        match compact::compact(&self.servers, at).await {
            // It had been compacted up to the very revision.
            Ok(()) | Err(Fault::Compacted) => {
                self.floor.fetch_max(at.0, Relaxed);
                Ok(())
            }
            Err(fault) => Err(self.explain(fault, at).await),
        }
    }

    async fn revisions(&self) -> Result<(Revision, Revision), StoreError> {
        let current = self.current().await?;
        let floor = self.floor(current).await.map_err(Fault::of_read)?;
        Ok((current, floor))
    }

    /// The size of the asked server's database.
    async fn size(&self) -> Result<u64, StoreError> {
        let status = |mut client: Client| async move { client.status().await };
        let status = self.servers.ask(Repeat::Always, status).await;
        let size = status.map_err(Fault::of_read)?.db_size();
        Ok(u64::try_from(size).unwrap_or(0))
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.current().await.map(drop)
    }

    async fn current(&self) -> Result<Revision, StoreError> {
        let options = GetOptions::new().with_count_only();
        let answer = range::get(&self.servers, PROBE.as_bytes(), options).await;
        let header = answer.map_err(Fault::of_read)?.0.header.unwrap_or_default();
        Ok(range::revision(header.revision))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn request_progress(&self) -> Result<bool, StoreError> {
        let told = self.servers.tell_progress();
        if told {
            self.ask.send_replace(());
        }
        Ok(told)
    }
}
