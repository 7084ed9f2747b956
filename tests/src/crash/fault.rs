//! Failing files: errors from any operation, writes that stop half way, full disks, and syncs that
//! fail, after which nothing more may be acknowledged.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use anyhow::{Context, Result, bail, ensure};
use k8s_store::{
    Store, StoreError, Txn,
    embedded::EmbeddedStore,
    testing::{Dice, Fault, FileOperation, SimulatedDisk},
};
use tokio::sync::Notify;

use crate::{
    STORE,
    account::{Account, Counts},
    verify::verify,
    workload::{self, Ear},
};

/// How many faults a store has to live through before it is looked at.
const ROUND: u64 = 12;

/// Injects so many faults.
pub(crate) async fn run(faults: u64, dice: &mut Dice) -> Result<()> {
    let dir = tempfile::tempdir()?; // the lock in it is real
    let mut disk = SimulatedDisk::default();
    let mut account = Account::default();
    let (mut injected, mut broken, mut refused_to_open) = (0, 0, 0);
    while injected < faults {
        let count = Arc::new(AtomicU64::new(0));
        let stopped;
        let enough = inject(&disk, dice.throw(), Arc::clone(&count));
        match EmbeddedStore::open_on(Arc::new(disk.clone()), dir.path(), STORE).await {
            Ok(store) => {
                let store = Arc::new(store);
                let resume = account.resume();
                let (ear, account_back) = shared(account);
                let until = enough.notified();
                let ran = workload::run(store.clone(), resume, until, &ear).await;
                ran.with_context(|| format!("at fault {injected}"))?;
                account = account_back(ear);
                stopped = is_broken(&store).await?;
                broken += u64::from(stopped);
            }
            Err(StoreError::Io { .. } | StoreError::Full { .. }) => {
                stopped = true;
                refused_to_open += 1;
            }
            Err(error) => bail!("at fault {injected} it does not open: {error}"),
        }
        injected += count.load(Relaxed);
        disk.heal();
        // After a failed sync the system shows what the disk doesn't hold, so it has to be restarted;
        // else it may be that only the process ends.
        if stopped || dice.one_in(2) {
            disk = disk.after_power_cut(dice);
        }
        let store = EmbeddedStore::open_on(Arc::new(disk.clone()), dir.path(), STORE).await;
        let store = store.with_context(|| format!("after fault {injected} it does not open"))?;
        let verified = verify(&store, &mut account).await;
        verified.with_context(|| format!("after fault {injected}"))?;
        store.close().await;
    }
    println!(
        "{injected} faults, {broken} that stopped the store and {refused_to_open} that kept it from \
         opening: {}",
        account.counts()
    );
    Ok(())
}

/// Lets operations fail now and then; tells when there were enough of them.
fn inject(disk: &SimulatedDisk, seed: u64, count: Arc<AtomicU64>) -> Arc<Notify> {
    let enough = Arc::new(Notify::new());
    let tell = Arc::clone(&enough);
    let mut dice = Dice::new(seed);
    // Seconds of a full disk, in operations.
    let mut full = 0_usize;
    disk.fail(move |operation| {
        full = full.saturating_sub(1);
        let odds = match operation {
            FileOperation::Append => 12,
            FileOperation::Sync | FileOperation::SyncDirectory => 60,
            FileOperation::Truncate => 20,
            FileOperation::Read => 40,
            FileOperation::Create | FileOperation::Rename | FileOperation::Remove => 6,
        };
        let grows = matches!(operation, FileOperation::Append | FileOperation::Create);
        let is_full = grows && full > 0;
        if !is_full && !dice.one_in(odds) {
            return None;
        }
        if grows && !is_full && dice.one_in(2) {
            full = dice.below(30);
        }
        if count.fetch_add(1, Relaxed) + 1 >= ROUND {
            tell.notify_one();
        }
        Some(Fault {
            kind: match full {
                0 => io::ErrorKind::Other,
                _ => io::ErrorKind::StorageFull,
            },
            written: dice.below(2_000),
        })
    });
    enough
}

/// Whether a store has given up. Then it has to refuse everything, and go on serving reads.
async fn is_broken(store: &EmbeddedStore) -> Result<bool> {
    let write = || store.commit(Txn::default());
    if !matches!(write().await, Err(StoreError::Closed)) {
        return Ok(false);
    }
    for _ in 0..3 {
        let again = write().await;
        ensure!(
            matches!(again, Err(StoreError::Closed)),
            "it went on after it closed: {again:?}"
        );
    }
    store
        .get(b"/a/00")
        .await
        .context("a stopped store serves reads")?;
    Ok(true)
}

/// An account that the tasks of a workload share, and the way to get it back.
pub(crate) fn shared(account: Account) -> (Ear, impl FnOnce(Ear) -> Account) {
    let shared = Arc::new(Mutex::new(account));
    let hearing = Arc::clone(&shared);
    let ear: Ear = Arc::new(move |word| {
        hearing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hear(word)
    });
    let back = move |ear| {
        drop(ear);
        let mut account = shared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *account)
    };
    (ear, back)
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            acknowledged,
            unacknowledged,
            refused,
            seen,
        } = self;
        write!(
            f,
            "{acknowledged} writes acknowledged and all there, {unacknowledged} there unacknowledged, \
             {refused} refused, {seen} events seen once each"
        )
    }
}
