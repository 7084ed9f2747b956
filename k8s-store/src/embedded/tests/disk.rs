//! A disk in memory that remembers what was synced, runs full, fails, and loses its power.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::embedded::{File, Files};

/// Shared by all handles.
#[derive(Clone, Debug, Default)]
pub(super) struct Simulated(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The names as programs see them, and as they are on disk.
    names: BTreeMap<PathBuf, Content>,
    synced_names: BTreeMap<PathBuf, Content>,
    /// Bytes that may still be written.
    room: Option<usize>,
    /// Syncs that may still succeed.
    syncs: Option<usize>,
    /// After so many more writes, syncs, renames and removals nothing reaches the disk any more.
    power: Option<usize>,
}

/// A file's bytes, wherever it is named.
type Content = Arc<Mutex<Bytes>>;

#[derive(Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    synced: Vec<u8>,
}

impl Simulated {
    /// Lets only so many more bytes be written; `None` for any number.
    pub(super) fn limit_room(&self, bytes: Option<usize>) {
        self.state().room = bytes;
    }

    /// Lets only so many more syncs succeed.
    pub(super) fn limit_syncs(&self, count: usize) {
        self.state().syncs = Some(count);
    }

    /// Cuts the power after so many more operations.
    pub(super) fn cut_after(&self, operations: usize) {
        self.state().power = Some(operations);
    }

    /// The disk as it is found after a power cut: names and bytes that were not synced are gone, but
    /// of unsynced bytes a part, chosen by `luck`, may have made it, with or without a hole before.
    pub(super) fn after_power_cut(&self, mut luck: usize) -> Simulated {
        let state = self.state();
        let mut names = BTreeMap::new();
        for (path, content) in &state.synced_names {
            let bytes = content.lock().unwrap();
            let mut found = bytes.synced.clone();
            if let Some(unsynced) = bytes.written.get(found.len()..) {
                luck = luck.wrapping_mul(31).wrapping_add(7);
                let kept = &unsynced[..luck % (unsynced.len() + 1)];
                let hole = if luck.is_multiple_of(3) {
                    kept.len() / 2
                } else {
                    0
                };
                found.extend(std::iter::repeat_n(0, hole).chain(kept[hole..].iter().copied()));
            }
            let bytes = Bytes {
                written: found.clone(),
                synced: found,
            };
            names.insert(path.clone(), Arc::new(Mutex::new(bytes)));
        }
        let state = State {
            synced_names: names.clone(),
            names,
            ..State::default()
        };
        Simulated(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn find(&self, path: &Path) -> io::Result<Content> {
        self.state()
            .names
            .get(path)
            .cloned()
            .ok_or(io::ErrorKind::NotFound.into())
    }

    /// Whether there still is power for one more operation.
    fn step(&self) -> io::Result<()> {
        match &mut self.state().power {
            None => Ok(()),
            Some(0) => Err(io::Error::other("no power")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.step()?;
        match &mut self.state().syncs {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the disk is failing")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Files for Simulated {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect())
    }

    fn read(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let content = self.find(path)?;
        let bytes = content.lock().unwrap().written.clone();
        let len = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes)), len))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.step()?;
        let content = Content::default();
        self.state()
            .names
            .insert(path.to_owned(), Arc::clone(&content));
        Ok(Box::new(Handle {
            disk: self.clone(),
            content,
        }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(Handle {
            disk: self.clone(),
            content: self.find(path)?,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let mut state = self.state();
        let content = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.state()
            .names
            .remove(path)
            .map(drop)
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.sync()?;
        let mut state = self.state();
        state.synced_names = state.names.clone();
        Ok(())
    }
}

struct Handle {
    disk: Simulated,
    content: Content,
}

impl File for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.step()?;
        let mut state = self.disk.state();
        let fits = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        if let Some(room) = &mut state.room {
            *room -= fits;
        }
        drop(state);
        self.content.lock().unwrap().written.extend(&bytes[..fits]);
        match fits == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.step()?;
        let len = usize::try_from(len).unwrap();
        self.content.lock().unwrap().written.truncate(len);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.sync()?;
        let mut bytes = self.content.lock().unwrap();
        bytes.synced = bytes.written.clone();
        Ok(())
    }
}
