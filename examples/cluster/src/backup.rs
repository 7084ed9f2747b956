//! `--backup` and `--restore`: all objects in one file, and back.
//!
//! A backup can be taken while the cluster runs: it reads the store's log without its lock. Keys and
//! certificates are no part of it; a restored cluster makes its own.

use std::path::Path;

use anyhow::{Context, Result};
use k8s_store::embedded::{self, Backup};

use crate::layout::Layout;

/// Writes a backup of the embedded store to `file`.
pub(crate) async fn take(layout: &Layout, file: &Path) -> Result<()> {
    let taken = embedded::backup(layout.store(), file).await;
    say("backed up", &taken.context("no backup was made")?);
    Ok(())
}

/// Fills the embedded store, which must not exist yet, from `file`.
pub(crate) async fn restore(layout: &Layout, file: &Path) -> Result<()> {
    let restored = embedded::restore(file, layout.store()).await;
    say("restored", &restored.context("nothing was restored")?);
    Ok(())
}

fn say(done: &str, backup: &Backup) {
    let Backup {
        revision,
        objects,
        bytes,
    } = backup;
    println!("{done} {objects} objects at revision {revision}, {bytes} bytes");
}
