//! Showing a set of files so that a reader sees all of the old ones or all of the new ones.
//!
//! The files live in a directory named after its making; `..data` is a symbolic link to it, and each
//! visible name a link through `..data`. An update makes another directory and renames a new link
//! over `..data`: the layout that applications have learnt to watch.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Component, Path},
};

use super::{VolumeError, ownership::Ownership, payload::Files};

const DATA: &str = "..data";

/// Makes the directory show exactly these files, which a group may own; does nothing when it does
/// already.
pub(super) fn write(
    dir: &Path,
    files: &Files,
    ownership: Option<Ownership>,
) -> Result<(), VolumeError> {
    for path in files.keys() {
        let mut parts = Path::new(path).components();
        let is_inside = parts.clone().next().is_some()
            && parts.all(|part| matches!(part, Component::Normal(_)))
            && !path.starts_with("..");
        if !is_inside {
            return Err(VolumeError::Invalid(format!("invalid path: {path:?}")));
        }
    }
    let old = fs::read_link(dir.join(DATA)).ok();
    if old.as_ref().is_some_and(|old| shows(&dir.join(old), files)) {
        return Ok(());
    }
    give(dir, ownership)?;
    replace(dir, files, ownership)
}

fn replace(dir: &Path, files: &Files, ownership: Option<Ownership>) -> Result<(), VolumeError> {
    let version = format!(
        "..{}",
        jiff::Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S.%9f")
    );
    let new = dir.join(&version);
    let filled = fill(&new, files).map_err(VolumeError::at(dir));
    // Before anybody sees them.
    let given = filled.and_then(|()| give(&new, ownership));
    let shown = given.and_then(|()| show(dir, &version, files).map_err(VolumeError::at(dir)));
    if shown.is_err() && fs::read_link(dir.join(DATA)).ok().as_deref() != Some(Path::new(&version))
    {
        // A full disk shall not be filled further by trying again.
        let _ = fs::remove_dir_all(&new);
    }
    shown
}

fn give(dir: &Path, ownership: Option<Ownership>) -> Result<(), VolumeError> {
    match ownership {
        Some(ownership) => ownership.to_read().apply(dir),
        None => Ok(()),
    }
}

/// Makes the directory of a version.
fn fill(new: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir(new)?;
    fs::set_permissions(new, fs::Permissions::from_mode(0o755))?;
    for (name, file) in files {
        let path = new.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, &file.data)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
        if file.owner.is_some() {
            chown(&path, file.owner, None)?;
        }
    }
    Ok(())
}

/// Puts a version in the place of the one before.
fn show(dir: &Path, version: &str, files: &Files) -> io::Result<()> {
    let link = dir.join("..data_tmp");
    let _ = fs::remove_file(&link);
    symlink(version, &link)?;
    fs::rename(&link, dir.join(DATA))?;

    let visible: BTreeSet<&str> = files
        .keys()
        .filter_map(|path| path.split('/').next())
        .collect();
    for name in &visible {
        let link = dir.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(name), link)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // The version before, and what an agent that was killed left.
        let is_old = name.starts_with("..") && entry.file_type()?.is_dir() && name != version;
        if is_old {
            fs::remove_dir_all(entry.path())?;
        } else if !name.starts_with("..") && !visible.contains(&*name) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a version's directory holds exactly these files.
fn shows(version: &Path, files: &Files) -> bool {
    let is_same = |(name, file): (&String, &super::payload::File)| {
        let path = version.join(name);
        let mode = fs::metadata(&path).map(|meta| meta.permissions().mode() & 0o777);
        // The group may have been given rights since.
        mode.is_ok_and(|mode| mode & file.mode == file.mode & 0o777)
            && fs::read(&path).is_ok_and(|data| data == file.data)
    };
    count(version) == Some(files.len()) && files.iter().all(is_same)
}

fn count(dir: &Path) -> Option<usize> {
    let mut files = 0;
    for entry in fs::read_dir(dir).ok()? {
        let entry = entry.ok()?;
        files += match entry.file_type().ok()?.is_dir() {
            true => count(&entry.path())?,
            false => 1,
        };
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::payload::File;

    fn files(list: &[(&str, &str)]) -> Files {
        let file = |text: &str| File::new(text.into(), None, None);
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), file(text)))
            .collect()
    }

    fn shown(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with(".."))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_update_swaps_the_data_link_and_drops_what_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        write(dir, &files(&[("a", "1"), ("sub/b", "2")]), None).unwrap();
        assert_eq!(shown(dir), ["a", "sub"]);
        let first = fs::read_link(dir.join(DATA)).unwrap();
        write(dir, &files(&[("a", "1"), ("sub/b", "2")]), None).unwrap();
        assert_eq!(
            fs::read_link(dir.join(DATA)).unwrap(),
            first,
            "nothing changed"
        );
        write(dir, &files(&[("sub/b", "3"), ("c", "4")]), None).unwrap();
        assert_eq!(shown(dir), ["c", "sub"]);
        assert_eq!(fs::read_to_string(dir.join("sub/b")).unwrap(), "3");
        assert!(!dir.join(first).exists());
    }

    #[test]
    fn what_a_killed_agent_began_is_swept_and_what_fails_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        fs::create_dir(dir.join("..2020_begun")).unwrap();
        write(dir, &files(&[("a", "1")]), None).unwrap();
        assert!(!dir.join("..2020_begun").exists());
        let count = || fs::read_dir(dir).unwrap().count();
        let before = count();
        // A file can't be a directory too.
        assert!(write(dir, &files(&[("b", "1"), ("b/c", "2")]), None).is_err());
        assert_eq!(count(), before);
        assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "1");
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x", "..x", ""] {
            assert!(
                write(dir.path(), &files(&[(path, "")]), None).is_err(),
                "{path}"
            );
        }
    }
}
