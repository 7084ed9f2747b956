use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

/// A volume `v` beside a directory `outside` that nobody may reach.
fn world() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (volume, outside) = (dir.path().join("v"), dir.path().join("outside"));
    fs::create_dir(&volume).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o777)).unwrap();
    (dir, volume, outside)
}

fn inode(fd: &OwnedFd) -> u64 {
    fstat(fd).unwrap().st_ino
}

#[test]
fn a_part_is_made_inside_the_volume_with_the_volume_s_mode() {
    let (_dir, volume, _) = world();
    let opened = open(&volume, "a/./b").unwrap();
    let made = fs::metadata(volume.join("a/b")).unwrap();
    assert_eq!(inode(&opened), made.ino());
    assert_eq!(made.permissions().mode() & 0o7777, 0o777);
    assert_eq!(inode(&open(&volume, "a/b").unwrap()), made.ino());
}

#[test]
fn links_are_followed_as_long_as_they_stay_inside() {
    let (_dir, volume, outside) = world();
    fs::create_dir(volume.join("real")).unwrap();
    symlink("real", volume.join("near")).unwrap();
    let near = open(&volume, "near").unwrap();
    assert_eq!(
        inode(&near),
        fs::metadata(volume.join("real")).unwrap().ino()
    );
    symlink("/", volume.join("root")).unwrap();
    symlink("../outside", volume.join("up")).unwrap();
    for bad in ["root", "root/etc", "up", "up/new"] {
        let says = open(&volume, bad).unwrap_err().to_string();
        assert!(says.contains("not within volume path"), "{bad}: {says}");
    }
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn paths_that_name_the_outside_are_refused_as_text() {
    for (bad, why) in [
        ("/etc", "error SubPath `/etc` must not be an absolute path"),
        (
            "a/../b",
            "unable to provision SubPath `a/../b`: must not contain '..'",
        ),
    ] {
        assert_eq!(check(bad).unwrap_err().to_string(), why);
    }
    assert!(check("a/..b").is_ok());
}

/// A directory of the pod's that is a link to the outside every other moment.
#[test]
fn a_link_swapped_meanwhile_leads_nowhere() {
    let (_dir, volume, outside) = world();
    fs::create_dir(volume.join("real")).unwrap();
    symlink(&outside, volume.join("link")).unwrap();
    let is_over = AtomicBool::new(false);
    let forbidden = fs::metadata(&outside).unwrap().ino();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let swap = |from: &str, to: &str| {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    volume.join(from),
                    rustix::fs::CWD,
                    volume.join(to),
                    rustix::fs::RenameFlags::EXCHANGE,
                )
            };
            while !is_over.load(Ordering::Relaxed) {
                swap("real", "link").unwrap();
            }
        });
        let mut opened = 0;
        for round in 0..2000 {
            let part = format!("real/{}", round % 7);
            if let Ok(fd) = open(&volume, &part) {
                opened += 1;
                assert_ne!(inode(&fd), forbidden);
            }
            if let Ok(fd) = open(&volume, "real") {
                assert_ne!(inode(&fd), forbidden);
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(opened > 0, "it is a directory at times");
    });
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0, "untouched");
}
