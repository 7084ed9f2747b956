//! What a group uses, under either version.

use std::path::Path;

use super::{Cgroups, Kind, field, join, number};

/// What a group uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupUsage {
    /// Processor time, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory with caches, in bytes.
    pub memory: u64,
    /// Of the memory, caches of files that were not read of late, in bytes.
    pub inactive_files: u64,
}

impl Cgroups {
    /// What a group and all below it use; `None` if it isn't there.
    pub fn usage(&self, group: &str) -> Option<GroupUsage> {
        let mut usage = None;
        for mount in &self.mounts {
            let dir = join(&mount.path, group);
            match &mount.kind {
                Kind::V2 => usage = usage_v2(&dir),
                Kind::V1(controllers) => usage_v1(&dir, controllers, &mut usage),
            }
        }
        usage
    }
}

fn usage_v1(dir: &Path, controllers: &[String], usage: &mut Option<GroupUsage>) {
    for controller in controllers {
        match controller.as_str() {
            "cpuacct" => {
                if let Some(nanos) = number(dir, "cpuacct.usage") {
                    usage.get_or_insert_default().cpu_nanos = nanos;
                }
            }
            "memory" => {
                if let Some(memory) = number(dir, "memory.usage_in_bytes") {
                    let usage = usage.get_or_insert_default();
                    usage.memory = memory;
                    let inactive = field(dir, "memory.stat", "total_inactive_file");
                    usage.inactive_files = inactive.unwrap_or_default();
                }
            }
            _ => {}
        }
    }
}

fn usage_v2(dir: &Path) -> Option<GroupUsage> {
    Some(GroupUsage {
        cpu_nanos: field(dir, "cpu.stat", "usage_usec")? * 1000,
        memory: number(dir, "memory.current")?,
        inactive_files: field(dir, "memory.stat", "inactive_file").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::resource::cgroup::Mount;

    #[test]
    fn usage_is_read_from_either_version() {
        let dir = tempfile::tempdir().unwrap();
        let at = |group: &str, files: &[(&str, &str)]| {
            let group = dir.path().join(group);
            fs::create_dir_all(&group).unwrap();
            for (file, text) in files {
                fs::write(group.join(file), text).unwrap();
            }
        };
        at("cpu/pod", &[("cpuacct.usage", "7000\n")]);
        let stat = "cache 9\ntotal_inactive_file 20\n";
        at(
            "memory/pod",
            &[("memory.usage_in_bytes", "100\n"), ("memory.stat", stat)],
        );
        let stat = "usage_usec 7\nuser_usec 5\n";
        let memory = [
            ("memory.current", "100\n"),
            ("memory.stat", "inactive_file 20\n"),
        ];
        at(
            "unified/pod",
            &[&memory[..], &[("cpu.stat", stat)]].concat(),
        );
        let mount = |path: &str, kind| Mount {
            path: dir.path().join(path),
            kind,
        };
        let v1 = |names: &[&str]| Kind::V1(names.iter().map(|name| (*name).to_owned()).collect());
        let groups = |mounts| Cgroups {
            root: "/".into(),
            mounts,
        };
        let expected = GroupUsage {
            cpu_nanos: 7000,
            memory: 100,
            inactive_files: 20,
        };
        let old = groups(vec![
            mount("cpu", v1(&["cpu", "cpuacct"])),
            mount("memory", v1(&["memory"])),
        ]);
        let new = groups(vec![mount("unified", Kind::V2)]);
        for groups in [old, new] {
            assert_eq!(groups.usage("/pod"), Some(expected));
            assert_eq!(groups.usage("/absent"), None);
        }
    }
}
