//! Rewriting: the live state into a snapshot, beside the running log.
//!
//! The state is a snapshot of the tree, so writers go on meanwhile. The new file takes its name only
//! when it is complete and durable; until then, and after a crash, the old files are what counts.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use super::{
    log::{Place, SNAPSHOT, Segment, TEMPORARY, name},
    record::Encoder,
    state::State,
};
use crate::StoreError;

/// How much is written between two fsyncs: small, so that the log's own fsyncs don't wait long.
const CHUNK: usize = 4 << 20;

/// A rewrite under way on a thread of its own.
pub(super) struct Rewrite {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Option<Segment>, StoreError>>>,
}

impl Rewrite {
    /// Starts to write a state.
    pub(super) fn start(place: Place, state: State) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let temporary = place.dir.join(name(state.revision, TEMPORARY));
            let path = place.dir.join(name(state.revision, SNAPSHOT));
            let result = write(&place, &state, [&temporary, &path], &stopped);
            place
                .counters
                .rewrites
                .fetch_add(matches!(result, Ok(Some(_))).into(), Relaxed);
            if !matches!(result, Ok(Some(_))) {
                let _ = place.files.remove(&temporary); // else the next opening does it
            }
            result
        };
        let thread = thread::Builder::new()
            .name("store-rewrite".to_owned())
            .spawn(work);
        Rewrite {
            stop,
            thread: thread.ok(),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The finished snapshot; `None` if it was stopped, or could not even start.
    pub(super) fn finish(mut self) -> Result<Option<Segment>, StoreError> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or(Ok(None)),
            None => Ok(None),
        }
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a snapshot under a temporary name, then gives it its own. `None` if it was stopped.
pub(super) fn write(
    place: &Place,
    state: &State,
    [temporary, path]: [&Path; 2],
    stop: &AtomicBool,
) -> Result<Option<Segment>, StoreError> {
    let failed = |action| move |error| StoreError::io(action, temporary, &error);
    let mut file = place.files.create(temporary).map_err(failed("create"))?;
    let mut len = 0;
    let mut chunk = Vec::new();
    let mut flush = |chunk: &mut Vec<u8>| {
        file.append(chunk).map_err(failed("write"))?;
        place.sync(&mut *file, temporary)?;
        place
            .counters
            .bytes_written
            .fetch_add(chunk.len() as u64, Relaxed);
        len += chunk.len() as u64;
        chunk.clear();
        Ok(())
    };
    Encoder {
        out: &mut chunk,
        durable: 0,
    }
    .start(state.revision);
    for kv in state.tree.iter() {
        Encoder {
            out: &mut chunk,
            durable: 0,
        }
        .entry(kv, &state.deadlines);
        if chunk.len() >= CHUNK {
            flush(&mut chunk)?;
            if stop.load(Relaxed) {
                return Ok(None);
            }
        }
    }
    Encoder {
        out: &mut chunk,
        durable: 0,
    }
    .sealed();
    flush(&mut chunk)?;
    place
        .files
        .rename(temporary, path)
        .map_err(failed("rename"))?;
    place.sync_dir()?;
    Ok(Some(Segment {
        path: path.to_owned(),
        base: state.revision,
        len,
    }))
}
