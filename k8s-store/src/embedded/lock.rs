//! Keeps a second process, or a second store of this one, out of a data directory.

use std::{fs, path::Path};

use crate::StoreError;

/// The name of the lock file.
pub(super) const NAME: &str = "LOCK";

/// Held as long as the store is open; the system releases it however the process ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held for its effect")] fs::File);

impl Lock {
    /// Locks a directory, or says that it is in use.
    pub(super) fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let mut options = fs::File::options();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| StoreError::io("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
            Err(fs::TryLockError::Error(error)) => Err(StoreError::io("lock", path, &error)),
        }
    }
}
