//! Backups: the state at one revision, in one file.
//!
//! The file is a snapshot as the log has them, so each of its records is checksummed and its end is
//! marked. It takes its name when it is complete and durable. History is not part of it: after
//! [`restore`], watches can begin at the backup's revision.
//!
//! [`backup`] works from another process as well, since it takes no lock: it only reads the directory,
//! up to the last whole record of the log. So it holds all that was acknowledged before it began, and
//! maybe some of what was written meanwhile. When files disappear under it, because the log is being
//! rewritten, it begins anew.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use tokio::task;

use super::{
    compact,
    engine::EmbeddedStore,
    lock::{self, Lock},
    log::{LOG, Log, Place, SNAPSHOT, TEMPORARY, name},
    recover,
    state::State,
    writer::Request,
};
use crate::{Revision, StoreError};

/// How often to begin anew.
const TRIES: usize = 5;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The revision whose state it is.
    pub revision: Revision,
    /// How many keys there are.
    pub objects: usize,
    /// How long the file is.
    pub bytes: u64,
}

/// Backs up the store in `dir`, which may be open in another process, to `file`, replacing it.
/// [`StoreError::Corrupt`] if the directory holds no log that can be read.
pub async fn backup(dir: impl AsRef<Path>, file: impl AsRef<Path>) -> Result<Backup, StoreError> {
    let (dir, file) = (dir.as_ref().to_owned(), file.as_ref().to_owned());
    blocking(move || write(&read(&dir)?, file)).await
}

/// Makes a store of a backup, in a directory that is absent or empty.
/// [`StoreError::NotEmpty`] if it is not, [`StoreError::Corrupt`] if the backup is damaged; then the
/// directory is left as it was.
pub async fn restore(file: impl AsRef<Path>, dir: impl AsRef<Path>) -> Result<Backup, StoreError> {
    let (file, dir) = (file.as_ref().to_owned(), dir.as_ref().to_owned());
    blocking(move || {
        let state = recover::read_snapshot(&Place::on_disk(parent(&file)), file)?;
        fs::create_dir_all(&dir).map_err(|error| StoreError::io("create", &dir, &error))?;
        let _lock = Lock::acquire(&dir)?;
        let place = Place::on_disk(dir);
        let names = place.files.list(&place.dir);
        let names = names.map_err(|error| StoreError::io("read", &place.dir, &error))?;
        if names.iter().any(|name| name != lock::NAME) {
            return Err(StoreError::NotEmpty { path: place.dir });
        }
        // A log without its snapshot doesn't open, so half a restore is not taken for an old store.
        Log::resume_after(place.clone(), Vec::new(), state.revision)?;
        let [temporary, path] =
            [TEMPORARY, SNAPSHOT].map(|end| place.dir.join(name(state.revision, end)));
        write_as(&place, &state, [&temporary, &path])
    })
    .await
}

impl EmbeddedStore {
    /// Backs up the present to `file`, replacing it. Writes go on meanwhile.
    pub async fn backup(&self, file: impl AsRef<Path>) -> Result<Backup, StoreError> {
        let file = file.as_ref().to_owned();
        let state = self.request(Request::Snapshot).await?;
        blocking(move || write(&state, file)).await
    }
}

/// Reads a directory whose files may come and go.
fn read(dir: &Path) -> Result<State, StoreError> {
    let place = Place::on_disk(dir.to_owned());
    let mut tries = 0;
    loop {
        tries += 1;
        match recover::read(place.clone()) {
            Ok(state) if is_store(&place)? => return Ok(state),
            // Nothing is worse than a backup of nothing.
            Ok(_) => return Err(missing(dir.join(name(Revision::ZERO, LOG)))),
            Err(StoreError::Corrupt { .. } | StoreError::Io { .. }) if tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_store(place: &Place) -> Result<bool, StoreError> {
    let names = place.files.list(&place.dir);
    let names = names.map_err(|error| StoreError::io("read", &place.dir, &error))?;
    Ok(names.iter().any(|name| name.ends_with(LOG)))
}

fn missing(path: PathBuf) -> StoreError {
    StoreError::Corrupt {
        path,
        offset: 0,
        detail: "the file is missing".to_owned(),
    }
}

fn write(state: &State, file: PathBuf) -> Result<Backup, StoreError> {
    let mut temporary = file.clone().into_os_string();
    temporary.push(TEMPORARY);
    let paths = [Path::new(&temporary), &file];
    write_as(&Place::on_disk(parent(&file)), state, paths)
}

fn write_as(place: &Place, state: &State, paths: [&Path; 2]) -> Result<Backup, StoreError> {
    let written = compact::write(place, state, paths, &AtomicBool::new(false));
    if written.is_err() {
        let _ = place.files.remove(paths[0]);
    }
    Ok(Backup {
        revision: state.revision,
        objects: state.tree.len(),
        bytes: written?.map_or(0, |segment| segment.len),
    })
}

/// The directory that a file is in.
fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
