//! The cgroups of pods: parents that the agent makes and limits; runtimes put containers below.
//!
//! Under cgroup v1 a group lives once in every mounted hierarchy, and a cpuset must be filled before
//! a process can join; under v2 there is one tree, whose controllers are handed down level by level.
//! Only groups under the configured root are ever touched.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use k8s_apimachinery::pod::qos::QosClass;

use super::limit::CgroupLimits;

mod limits;
mod usage;

pub use usage::GroupUsage;

/// A cgroup that can't be made, limited or removed.
#[derive(Debug, thiserror::Error)]
#[error("cgroup {}: {source}", path.display())]
pub struct CgroupError {
    path: PathBuf,
    source: io::Error,
}

/// The cgroups below one root.
#[derive(Clone, Debug)]
pub struct Cgroups {
    /// Such as `/kubepods-node1`.
    root: String,
    mounts: Vec<Mount>,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// v1, with its controllers (or name).
    V1(Vec<String>),
    V2,
}

impl Cgroups {
    /// Finds the mounted hierarchies and makes the root, such as `/kubepods-node1`.
    pub fn detect(root: &str) -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let table = fs::read_to_string(path).map_err(at(path))?;
        let mounts = hierarchies(&table);
        if mounts.is_empty() {
            let missing = io::Error::new(io::ErrorKind::NotFound, "no cgroup hierarchy is mounted");
            return Err(at(Path::new("/sys/fs/cgroup"))(missing));
        }
        let root = format!("/{}", root.trim_matches('/'));
        let groups = Self { root, mounts };
        groups.make(&groups.root)?;
        Ok(groups)
    }

    /// The parent of a pod's containers, as runtimes are told it.
    pub fn pod(&self, qos: QosClass, uid: &str) -> String {
        match qos {
            QosClass::Guaranteed => format!("{}/pod{uid}", self.root),
            QosClass::Burstable => format!("{}/burstable/pod{uid}", self.root),
            QosClass::BestEffort => format!("{}/besteffort/pod{uid}", self.root),
        }
    }

    /// Makes and limits a pod's group, or limits the one that exists.
    pub fn create(&self, group: &str, limits: CgroupLimits) -> Result<(), CgroupError> {
        self.make(group)?;
        self.set_limits(group, limits)
    }

    /// Removes a group and all below it, in every hierarchy; a group that isn't there is fine.
    pub fn remove(&self, group: &str) -> Result<(), CgroupError> {
        for mount in &self.mounts {
            remove_tree(&join(&mount.path, group))?;
        }
        Ok(())
    }

    /// Removes everything below the root, and the root.
    pub fn teardown(&self) -> Result<(), CgroupError> {
        self.remove(&self.root)
    }

    /// The pods (by uid) that have a group in some hierarchy, with their groups.
    pub fn pods(&self) -> Vec<(String, String)> {
        let mut pods = Vec::new();
        for parent in ["", "/burstable", "/besteffort"] {
            let parent = format!("{}{parent}", self.root);
            for mount in &self.mounts {
                for name in subdirectories(&join(&mount.path, &parent)) {
                    if let Some(uid) = name.strip_prefix("pod") {
                        pods.push((uid.to_owned(), format!("{parent}/{name}")));
                    }
                }
            }
        }
        pods.sort();
        pods.dedup();
        pods
    }

    /// Makes a group and its ancestors, usable by processes.
    fn make(&self, group: &str) -> Result<(), CgroupError> {
        for mount in &self.mounts {
            let mut dir = mount.path.clone();
            for part in group.split('/').filter(|part| !part.is_empty()) {
                if mount.kind == Kind::V2 {
                    hand_down(&dir)?;
                }
                let child = dir.join(part);
                match fs::create_dir(&child) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(at(&child)(error));
                    }
                    _ => {}
                }
                if matches!(&mount.kind, Kind::V1(names) if names.iter().any(|name| name == "cpuset"))
                {
                    inherit_cpuset(&dir, &child)?;
                }
                dir = child;
            }
        }
        Ok(())
    }
}

/// The hierarchies in a mount table: all of v1 if any has a controller, else v2.
fn hierarchies(mountinfo: &str) -> Vec<Mount> {
    let mut v1 = Vec::new();
    let mut v2 = Vec::new();
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let Some(path) = left.split(' ').nth(4).map(PathBuf::from) else {
            continue;
        };
        let mut right = right.split(' ');
        match (right.next(), right.nth(1)) {
            (Some("cgroup"), Some(options)) => {
                let names = options
                    .split(',')
                    .filter(|name| *name != "rw" && *name != "ro");
                let names = names.map(str::to_owned).collect();
                v1.push(Mount {
                    path,
                    kind: Kind::V1(names),
                });
            }
            (Some("cgroup2"), _) => v2.push(Mount {
                path,
                kind: Kind::V2,
            }),
            _ => {}
        }
    }
    let has_controller = v1.iter().any(|mount| {
        matches!(&mount.kind, Kind::V1(names) if names.iter().any(|name| !name.starts_with("name=")))
    });
    if has_controller {
        // Runtimes put containers into the bare v2 tree beside it as well: a group without limits.
        v1.extend(v2.into_iter().map(|mount| Mount {
            kind: Kind::V1(Vec::new()),
            ..mount
        }));
        return v1;
    }
    v2.truncate(1);
    v2
}

/// A file that holds one number.
fn number(dir: &Path, file: &str) -> Option<u64> {
    let text = fs::read_to_string(dir.join(file)).ok()?;
    text.trim().parse().ok()
}

/// The number behind a name, in a file with one of both in each line.
fn field(dir: &Path, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(dir.join(file)).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = lines.find(|(found, _)| *found == name)?;
    number.parse().ok()
}

/// v2: gives a group's controllers to its children.
fn hand_down(dir: &Path) -> Result<(), CgroupError> {
    let path = dir.join("cgroup.controllers");
    let controllers = fs::read_to_string(&path).map_err(at(&path))?;
    for controller in controllers.split_whitespace() {
        write(dir, "cgroup.subtree_control", format!("+{controller}"))?;
    }
    Ok(())
}

/// v1: a cpuset starts empty, and nothing can run in it.
fn inherit_cpuset(parent: &Path, child: &Path) -> Result<(), CgroupError> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let read = |dir: &Path| {
            let path = dir.join(file);
            fs::read_to_string(&path).map_err(at(&path))
        };
        if read(child)?.trim().is_empty() {
            write(child, file, read(parent)?.trim())?;
        }
    }
    Ok(())
}

fn write(dir: &Path, file: &str, value: impl ToString) -> Result<(), CgroupError> {
    let path = dir.join(file);
    fs::write(&path, value.to_string()).map_err(at(&path))
}

fn remove_tree(dir: &Path) -> Result<(), CgroupError> {
    for child in subdirectories(dir) {
        remove_tree(&dir.join(child))?;
    }
    match fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(dir)(error)),
        _ => Ok(()),
    }
}

fn subdirectories(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn join(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CgroupError + '_ {
    |source| CgroupError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_layout_counts_as_v1_and_a_pure_one_as_v2() {
        let line = |path: &str, fs: &str, options: &str| {
            format!("30 24 0:26 / {path} rw,relatime - {fs} cgroup {options}\n")
        };
        let cpu = line("/sys/fs/cgroup/cpu", "cgroup", "rw,cpu,cpuacct");
        let named = line("/sys/fs/cgroup/systemd", "cgroup", "rw,name=systemd");
        let unified = line("/sys/fs/cgroup/unified", "cgroup2", "rw");
        let kinds = |table: String| -> Vec<Kind> {
            hierarchies(&table)
                .into_iter()
                .map(|mount| mount.kind)
                .collect()
        };
        let v1 = |names: &[&str]| Kind::V1(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(
            kinds(format!("{cpu}{named}{unified}")),
            [v1(&["cpu", "cpuacct"]), v1(&["name=systemd"]), v1(&[])]
        );
        assert_eq!(kinds(format!("{named}{unified}")), [Kind::V2]);
    }
}
