//! The file operations that durability rests on, as a seam: tests put a disk behind it that fills
//! up, fails, or forgets what was not synced.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    path::Path,
};

/// A directory's worth of file operations.
pub trait Files: Send + Sync + fmt::Debug + 'static {
    /// The names of the files in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file to be read from its beginning, with its length.
    fn read(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)>;

    /// Creates a file, or empties it, to be written.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Opens a file to be written at its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Moves a file, replacing what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: creations, renames and deletions.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// One file that only grows at its end, or is cut back.
pub trait File: Send {
    /// Writes all bytes at the end. After an error any part of them may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to a length.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn read(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let file = fs::File::open(path)?;
        let len = file.metadata()?.len();
        Ok((Box::new(file), len))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        // Appending, so that a write after `truncate` leaves no hole.
        let file = fs::File::options().create(true).append(true).open(path)?;
        file.set_len(0)?;
        Ok(Box::new(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::File::options().append(true).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}

impl File for fs::File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
