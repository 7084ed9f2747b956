//! What a directory takes of its disk, as `du -x` counts.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::figure::Size;

/// Bytes are counted in blocks of this size, whatever the file system's own is.
const BLOCK: u64 = 512;

/// The files below a directory, itself included; other file systems mounted there are not. Files with several names
/// count once. What vanishes meanwhile counts nothing.
pub(super) fn size(root: &Path) -> Size {
    let mut size = Size::default();
    let Ok(metadata) = fs::symlink_metadata(root) else {
        return size;
    };
    let device = metadata.dev();
    let mut linked = HashSet::new();
    let mut waiting = vec![(root.to_owned(), metadata)];
    while let Some((path, metadata)) = waiting.pop() {
        if metadata.dev() != device {
            continue;
        }
        let is_dir = metadata.is_dir();
        if !is_dir && metadata.nlink() > 1 && !linked.insert(metadata.ino()) {
            continue;
        }
        size += Size {
            bytes: metadata.blocks() * BLOCK,
            inodes: 1,
        };
        if is_dir {
            waiting.extend(children(&path));
        }
    }
    size
}

fn children(dir: &Path) -> impl Iterator<Item = (PathBuf, fs::Metadata)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_whatever_its_names_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let empty = size(dir.path());
        assert_eq!(empty.inodes, 1);
        let file = dir.path().join("sub/file");
        fs::create_dir(dir.path().join("sub")).unwrap();
        fs::write(&file, vec![1; 100_000]).unwrap();
        fs::hard_link(&file, dir.path().join("again")).unwrap();
        std::os::unix::fs::symlink("/usr", dir.path().join("link")).unwrap();
        let full = size(dir.path());
        assert_eq!(full.inodes, 4);
        let grown = full.bytes - empty.bytes;
        assert!((100_000..150_000).contains(&grown), "{grown}");
        assert_eq!(size(&dir.path().join("absent")), Size::default());
    }
}
