//! Power cuts: from a random moment on nothing reaches the disk, and what was not synced by then is
//! lost: bytes, new files, new names and deletions.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use k8s_store::{
    StoreError,
    embedded::EmbeddedStore,
    testing::{Dice, SimulatedDisk},
};

use crate::{STORE, account::Account, fault::shared, verify::verify, workload};

/// The most that is written, synced, renamed or removed before the lights go out.
const MOMENT: usize = 100;

/// Cuts the power so many times, some of them while the store still recovers from the last.
pub(crate) async fn run(cuts: u64, dice: &mut Dice) -> Result<()> {
    let dir = tempfile::tempdir()?; // the lock in it is real
    let mut disk = SimulatedDisk::default();
    let mut account = Account::default();
    let mut cut_short = 0;
    for round in 0..cuts {
        let moment = match dice.one_in(4) {
            true => dice.below(8),
            false => dice.below(MOMENT),
        };
        disk.cut_after(moment);
        match EmbeddedStore::open_on(Arc::new(disk.clone()), dir.path(), STORE).await {
            Ok(store) => {
                let resume = account.resume();
                let (ear, account_back) = shared(account);
                let ran = workload::run(Arc::new(store), resume, std::future::pending(), &ear);
                ran.await.with_context(|| format!("before cut {round}"))?;
                account = account_back(ear);
            }
            Err(StoreError::Io { .. }) if disk.is_dark() => cut_short += 1,
            Err(error) => bail!("before cut {round} it does not open: {error}"),
        }
        disk = disk.after_power_cut(dice);
        let store = EmbeddedStore::open_on(Arc::new(disk.clone()), dir.path(), STORE).await;
        let store = store.with_context(|| format!("after cut {round} it does not open"))?;
        let verified = verify(&store, &mut account).await;
        verified.with_context(|| format!("after cut {round}"))?;
        store.close().await;
    }
    println!(
        "{cuts} power cuts, {cut_short} of them while it opened: {}",
        account.counts()
    );
    Ok(())
}
