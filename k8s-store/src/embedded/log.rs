//! The log: segments that grow at their end, the newest of which is being written.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    file::{Disk, File, Files},
    record::Encoder,
};
use crate::{Revision, StoreError};

/// The ending of a segment's name; before it stands the revision whose state it continues.
pub(super) const LOG: &str = ".log";
/// The ending of a snapshot's name; before it stands the revision whose state it holds.
pub(super) const SNAPSHOT: &str = ".snapshot";
/// The ending of a snapshot that is not complete.
pub(super) const TEMPORARY: &str = ".tmp";

/// The name of a segment or snapshot. Names sort as their revisions do.
pub(super) fn name(revision: Revision, ending: &str) -> String {
    format!("{revision:020}{ending}")
}

/// What is counted, to be read at any time.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) fsyncs: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) disk_bytes: AtomicU64,
    pub(super) live_bytes: AtomicU64,
    pub(super) rewrites: AtomicU64,
}

/// The directory as the log sees it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
    pub(super) counters: Arc<Counters>,
}

impl Place {
    /// A directory of the operating system, counted by nobody.
    pub(super) fn on_disk(dir: PathBuf) -> Self {
        Place {
            files: Arc::new(Disk),
            dir,
            counters: Arc::default(),
        }
    }

    /// Creates a file with its first record, durably: the file, then its name.
    fn create(&self, path: &Path, base: Revision) -> Result<(Box<dyn File>, u64), StoreError> {
        let mut first = Vec::new();
        Encoder {
            out: &mut first,
            durable: 0,
        }
        .start(base);
        let mut file = self
            .files
            .create(path)
            .map_err(|error| StoreError::io("create", path, &error))?;
        file.append(&first)
            .map_err(|error| StoreError::io("write", path, &error))?;
        self.sync(&mut *file, path)?;
        self.sync_dir()?;
        self.counters
            .bytes_written
            .fetch_add(first.len() as u64, Relaxed);
        Ok((file, first.len() as u64))
    }

    /// Deletes a file, if it is there, for good.
    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.files.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("delete", path, &error))
            }
            _ => self.sync_dir(),
        }
    }

    pub(super) fn sync(&self, file: &mut dyn File, path: &Path) -> Result<(), StoreError> {
        self.counters.fsyncs.fetch_add(1, Relaxed);
        file.sync()
            .map_err(|error| StoreError::io("fsync", path, &error))
    }

    pub(super) fn sync_dir(&self) -> Result<(), StoreError> {
        self.counters.fsyncs.fetch_add(1, Relaxed);
        let synced = self.files.sync_dir(&self.dir);
        synced.map_err(|error| StoreError::io("fsync", &self.dir, &error))
    }
}

/// One file of the log or a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) base: Revision,
    pub(super) len: u64,
}

/// The segments, and the end of the newest.
pub(super) struct Log {
    pub(super) place: Place,
    /// Oldest first, with a snapshot in front if there is one; the last is being written.
    pub(super) segments: Vec<Segment>,
    file: Box<dyn File>,
}

/// Why nothing could be appended.
#[derive(Debug)]
pub(super) enum Failure {
    /// The log is as it was before: try again later.
    Refused(StoreError),
    /// What is on disk is not known any more: never write again.
    Broken(StoreError),
}

impl Log {
    /// Starts the log of an empty directory.
    pub(super) fn create(place: Place) -> Result<Self, StoreError> {
        Self::resume_after(place, Vec::new(), Revision::ZERO)
    }

    /// Continues behind the segments given with a new one.
    pub(super) fn resume_after(
        place: Place,
        mut segments: Vec<Segment>,
        base: Revision,
    ) -> Result<Self, StoreError> {
        let path = place.dir.join(name(base, LOG));
        let (file, len) = place.create(&path, base)?;
        segments.push(Segment { path, base, len });
        Ok(Log {
            place,
            segments,
            file,
        }
        .counted())
    }

    /// Continues the last of the segments given, which ends where its last good record does.
    pub(super) fn resume(place: Place, segments: Vec<Segment>) -> Result<Self, StoreError> {
        let Segment { path, len, .. } = segments.last().expect("a log has a segment");
        let failed = |action| move |error| StoreError::io(action, path, &error);
        let mut file = place.files.append(path).map_err(failed("open"))?;
        file.truncate(*len).map_err(failed("truncate"))?;
        // What was read may never have been synced, and is about to be shown to readers.
        place.sync(&mut *file, path)?;
        place.sync_dir()?;
        Ok(Log {
            place,
            segments,
            file,
        }
        .counted())
    }

    /// How much of the newest segment is good, which is also how much of it is durable.
    pub(super) fn end(&self) -> u64 {
        self.newest().len
    }

    pub(super) fn newest(&self) -> &Segment {
        self.segments.last().expect("a log has a segment")
    }

    /// Bytes in all segments.
    pub(super) fn size(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Writes records and makes them durable.
    pub(super) fn append(&mut self, records: &[u8]) -> Result<(), Failure> {
        let end = self.end();
        let path = &self.segments.last().expect("a log has a segment").path;
        if let Err(error) = self.file.append(records) {
            let refused = StoreError::io("write", path, &error);
            let cut = self.file.truncate(end);
            return Err(match cut {
                // Else a power cut could bring back whole records out of what was refused.
                Ok(()) => match self.place.sync(&mut *self.file, path) {
                    Ok(()) => Failure::Refused(refused),
                    Err(error) => Failure::Broken(error),
                },
                Err(error) => Failure::Broken(StoreError::io("truncate", path, &error)),
            });
        }
        // After a failed fsync the system may have dropped the pages and call the next one a
        // success, so there is no second try. Nor may whoever opens the log next take for durable
        // what can still be read.
        if let Err(error) = self.place.sync(&mut *self.file, path) {
            let _ = self.file.truncate(end);
            return Err(Failure::Broken(error));
        }
        let written = records.len() as u64;
        self.segments.last_mut().expect("a log has a segment").len += written;
        let counters = &self.place.counters;
        counters.bytes_written.fetch_add(written, Relaxed);
        counters.disk_bytes.store(self.size(), Relaxed);
        Ok(())
    }

    /// Begins a new segment at a revision. If that is refused, the old one goes on.
    pub(super) fn rotate(&mut self, base: Revision) -> Result<(), Failure> {
        if self.newest().base == base {
            return Ok(());
        }
        let path = self.place.dir.join(name(base, LOG));
        let (file, len) = match self.place.create(&path, base) {
            Ok(created) => created,
            Err(error) => {
                // Were it found after a crash, it would not continue what the old one has become.
                self.place.remove(&path).map_err(Failure::Broken)?;
                return Err(Failure::Refused(error));
            }
        };
        self.file = file;
        self.segments.push(Segment { path, base, len });
        self.count();
        Ok(())
    }

    /// A snapshot holds everything before `snapshot.base` now: deletes what it replaces.
    pub(super) fn replace(&mut self, snapshot: Segment) {
        let keep = self
            .segments
            .partition_point(|segment| segment.base < snapshot.base);
        for old in self.segments.splice(..keep, [snapshot]) {
            if let Err(error) = self.place.files.remove(&old.path) {
                tracing::warn!(path = %old.path.display(), %error, "cannot delete old segment");
            }
        }
        self.count();
    }

    fn counted(self) -> Self {
        self.count();
        self
    }

    fn count(&self) {
        self.place
            .counters
            .segments
            .store(self.segments.len() as u64, Relaxed);
        self.place.counters.disk_bytes.store(self.size(), Relaxed);
    }
}
