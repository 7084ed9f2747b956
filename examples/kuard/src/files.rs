//! `/fs/PATH`: what the container's file system holds, volumes above all.

use std::{fs, io, path::Path};

/// A directory's entries, one a line (directories end in `/`), or a file's bytes.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.is_dir() {
        return fs::read(path);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let slash = if entry.path().is_dir() { "/" } else { "" };
        names.push(format!("{}{slash}\n", entry.file_name().to_string_lossy()));
    }
    names.sort();
    Ok(names.concat().into_bytes())
}
