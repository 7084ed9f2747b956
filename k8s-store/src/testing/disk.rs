//! A disk in memory that remembers what was synced, runs full, fails, and loses its power.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Cursor, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Dice;
use crate::embedded::{File, Files};

/// Files for [`EmbeddedStore::open_on`](crate::embedded::EmbeddedStore::open_on) whose misfortunes
/// are chosen. Handles share the disk.
///
/// It is as cruel as POSIX allows: a file's bytes last when the file was synced, its name when the
/// directory was, and after a sync that failed the next one succeeds without having written anything.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

/// What the disk is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOperation {
    /// To list a directory or open a file.
    Read,
    /// To create a file.
    Create,
    /// To write at a file's end.
    Append,
    /// To cut a file.
    Truncate,
    /// To give a file another name.
    Rename,
    /// To delete a file.
    Remove,
    /// To make a file's bytes durable.
    Sync,
    /// To make the names in a directory durable.
    SyncDirectory,
}

/// How an operation fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What the program is told.
    pub kind: io::ErrorKind,
    /// How many bytes of an append are written all the same.
    pub written: usize,
}

/// Decides about each operation.
type Plan = Box<dyn FnMut(FileOperation) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    names: Names,
    /// The names as they are on disk.
    synced: Names,
    /// What was done to names since, in order.
    unsynced: Vec<Naming>,
    /// Bytes that may still be written.
    room: Option<usize>,
    /// After so many more operations that write, nothing reaches the disk any more.
    power: Option<usize>,
    plan: Option<Plan>,
}

type Names = BTreeMap<PathBuf, Content>;

/// A file's bytes, wherever it is named.
type Content = Arc<Mutex<Bytes>>;

#[derive(Clone, Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// What it was before it was cut, which as yet only the program knows about.
    uncut: Option<Vec<u8>>,
    /// Bytes that a sync has failed to write: they can still be read, but never will be on disk.
    lost: Range<usize>,
}

#[derive(Clone)]
enum Naming {
    Set(PathBuf, Content),
    Move(PathBuf, PathBuf),
    Unset(PathBuf),
}

impl Naming {
    fn apply(self, names: &mut Names) {
        match self {
            Naming::Set(path, content) => drop(names.insert(path, content)),
            Naming::Move(from, to) => {
                if let Some(content) = names.remove(&from) {
                    names.insert(to, content);
                }
            }
            Naming::Unset(path) => drop(names.remove(&path)),
        }
    }
}

impl SimulatedDisk {
    /// Lets only so many more bytes be written; `None` for any number.
    pub fn limit_room(&self, bytes: Option<usize>) {
        self.state().room = bytes;
    }

    /// Cuts the power after so many more operations that write: from then on all of those fail.
    pub fn cut_after(&self, operations: usize) {
        self.state().power = Some(operations);
    }

    /// Lets `plan` decide which operations fail.
    pub fn fail(&self, plan: impl FnMut(FileOperation) -> Option<Fault> + Send + 'static) {
        self.state().plan = Some(Box::new(plan));
    }

    /// Lets nothing fail any more.
    pub fn heal(&self) {
        self.state().plan = None;
    }

    /// Whether the power is gone.
    pub fn is_dark(&self) -> bool {
        self.state().power == Some(0)
    }

    /// The disk as it is found after a power cut. What was not synced is gone; but of unsynced bytes
    /// the first may have made it, with or without a hole before them, and so may the first changes
    /// of names.
    pub fn after_power_cut(&self, dice: &mut Dice) -> SimulatedDisk {
        let state = self.state();
        let mut found = state.synced.clone();
        let survivors = match dice.one_in(2) {
            true => 0,
            false => dice.below(state.unsynced.len() + 1),
        };
        for naming in &state.unsynced[..survivors] {
            naming.clone().apply(&mut found);
        }
        let mut names = Names::new();
        for (path, content) in found {
            let bytes = lock(&content).after_power_cut(dice);
            names.insert(path, Arc::new(Mutex::new(bytes)));
        }
        SimulatedDisk(Arc::new(Mutex::new(State {
            synced: names.clone(),
            names,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    fn find(&self, path: &Path) -> io::Result<Content> {
        let state = self.state();
        let found = state.names.get(path).cloned();
        found.ok_or(io::ErrorKind::NotFound.into())
    }

    /// Whether the operation is going to succeed.
    fn attempt(&self, operation: FileOperation) -> Result<(), Fault> {
        let mut state = self.state();
        if let Some(left) = &mut state.power
            && operation != FileOperation::Read
        {
            if *left == 0 {
                let (kind, written) = (io::ErrorKind::Other, 0);
                return Err(Fault { kind, written });
            }
            *left -= 1;
        }
        match state.plan.as_mut().and_then(|plan| plan(operation)) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn rename_with(&self, operation: FileOperation, naming: Naming) -> io::Result<()> {
        self.attempt(operation)?;
        let mut state = self.state();
        naming.clone().apply(&mut state.names);
        state.unsynced.push(naming);
        Ok(())
    }
}

impl Bytes {
    fn after_power_cut(&self, dice: &mut Dice) -> Bytes {
        let mut found = self.synced.clone();
        let uncut = self.uncut.as_ref().filter(|_| dice.one_in(2));
        if let Some(unsynced) = uncut.unwrap_or(&self.written).get(found.len()..) {
            let kept = &unsynced[..dice.below(unsynced.len() + 1)];
            let hole = if dice.one_in(3) { kept.len() / 2 } else { 0 };
            found.extend(std::iter::repeat_n(0, hole).chain(kept[hole..].iter().copied()));
        }
        Bytes {
            written: found.clone(),
            synced: found,
            ..Bytes::default()
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        fault.kind.into()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("names", &self.names.keys())
            .field("power", &self.power)
            .finish_non_exhaustive()
    }
}

impl Files for SimulatedDisk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.attempt(FileOperation::Read)?;
        let state = self.state();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        Ok(inside.filter_map(name).collect())
    }

    fn read(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        self.attempt(FileOperation::Read)?;
        let bytes = lock(&*self.find(path)?).written.clone();
        let len = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), len))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let content = Content::default();
        let naming = Naming::Set(path.to_owned(), Arc::clone(&content));
        self.rename_with(FileOperation::Create, naming)?;
        let disk = self.clone();
        Ok(Box::new(Handle { disk, content }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let content = self.find(path)?;
        let disk = self.clone();
        Ok(Box::new(Handle { disk, content }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.find(from)?;
        let naming = Naming::Move(from.to_owned(), to.to_owned());
        self.rename_with(FileOperation::Rename, naming)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.rename_with(FileOperation::Remove, Naming::Unset(path.to_owned()))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.attempt(FileOperation::SyncDirectory)?;
        let mut state = self.state();
        state.synced = state.names.clone();
        state.unsynced.clear();
        Ok(())
    }
}

struct Handle {
    disk: SimulatedDisk,
    content: Content,
}

impl File for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (fits, fault) = match self.disk.attempt(FileOperation::Append) {
            Ok(()) => (bytes.len(), None),
            Err(fault) => (fault.written.min(bytes.len()), Some(fault.kind)),
        };
        let mut state = self.disk.state();
        let room = state.room.unwrap_or(fits);
        state.room = state.room.map(|room| room.saturating_sub(fits));
        drop(state);
        lock(&self.content).written.extend(&bytes[..fits.min(room)]);
        match fault.or((room < fits).then_some(io::ErrorKind::StorageFull)) {
            None => Ok(()),
            Some(kind) => Err(kind.into()),
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.attempt(FileOperation::Truncate)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut bytes = lock(&self.content);
        let whole = bytes.written.clone();
        bytes.written.truncate(len);
        bytes.uncut.get_or_insert(whole);
        bytes.lost = bytes.lost.start.min(len)..bytes.lost.end.min(len);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let attempt = self.disk.attempt(FileOperation::Sync);
        let mut bytes = lock(&self.content);
        if let Err(fault) = attempt {
            let start = match bytes.lost.is_empty() {
                true => bytes.synced.len(),
                false => bytes.lost.start,
            };
            bytes.lost = start.min(bytes.written.len())..bytes.written.len();
            return Err(fault.into());
        }
        bytes.synced = bytes.written.clone();
        bytes.uncut = None;
        let lost = bytes.lost.clone();
        bytes.synced[lost].fill(0);
        Ok(())
    }
}

/// Every state that a panic could leave is complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
