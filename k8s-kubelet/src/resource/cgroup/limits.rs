//! The limits of a group, under either version.

use std::path::Path;

use super::{CgroupError, Cgroups, Kind, join, number, write};
use crate::resource::limit::{CPU_PERIOD, CgroupLimits, cpu_weight};

/// Memory beyond this is no limit: v1 says so with the largest multiple of a page.
const UNLIMITED: u64 = i64::MAX as u64 / 2;

impl Cgroups {
    /// Limits a group. What isn't limited stays as it is: the kernel's numbers don't go back to none.
    pub fn set_limits(&self, group: &str, limits: CgroupLimits) -> Result<(), CgroupError> {
        for mount in &self.mounts {
            let dir = join(&mount.path, group);
            match &mount.kind {
                Kind::V2 => limit_v2(&dir, limits)?,
                Kind::V1(controllers) => limit_v1(&dir, controllers, limits)?,
            }
        }
        Ok(())
    }

    /// How a group's processor time and memory are limited now. Its weight isn't read.
    pub fn limits(&self, group: &str) -> CgroupLimits {
        let mut limits = CgroupLimits::default();
        for mount in &self.mounts {
            let dir = join(&mount.path, group);
            match &mount.kind {
                Kind::V2 => limits = limits_v2(&dir),
                Kind::V1(controllers) => limits_v1(&dir, controllers, &mut limits),
            }
        }
        limits
    }
}

fn limit_v1(dir: &Path, controllers: &[String], limits: CgroupLimits) -> Result<(), CgroupError> {
    for controller in controllers {
        match controller.as_str() {
            "cpu" => {
                write(dir, "cpu.shares", limits.cpu_shares)?;
                if limits.cpu_quota > 0 {
                    write(dir, "cpu.cfs_period_us", CPU_PERIOD)?;
                    write(dir, "cpu.cfs_quota_us", limits.cpu_quota)?;
                }
            }
            "memory" if limits.memory > 0 => write(dir, "memory.limit_in_bytes", limits.memory)?,
            _ => {}
        }
    }
    Ok(())
}

fn limit_v2(dir: &Path, limits: CgroupLimits) -> Result<(), CgroupError> {
    write(dir, "cpu.weight", cpu_weight(limits.cpu_shares))?;
    if limits.cpu_quota > 0 {
        write(dir, "cpu.max", format!("{} {CPU_PERIOD}", limits.cpu_quota))?;
    }
    if limits.memory > 0 {
        write(dir, "memory.max", limits.memory)?;
    }
    Ok(())
}

fn limits_v1(dir: &Path, controllers: &[String], limits: &mut CgroupLimits) {
    for controller in controllers {
        match controller.as_str() {
            // Without a limit the quota is -1, which is no number here.
            "cpu" => limits.cpu_quota = quota(number(dir, "cpu.cfs_quota_us"), CPU_PERIOD),
            "memory" => limits.memory = memory(number(dir, "memory.limit_in_bytes")),
            _ => {}
        }
    }
}

fn limits_v2(dir: &Path) -> CgroupLimits {
    let text = std::fs::read_to_string(dir.join("cpu.max")).unwrap_or_default();
    let mut words = text.split_whitespace();
    let amount = words.next().and_then(|word| word.parse().ok());
    let period = words.next().and_then(|word| word.parse().ok());
    CgroupLimits {
        cpu_shares: 0,
        cpu_quota: quota(amount, period.unwrap_or(CPU_PERIOD)),
        memory: memory(number(dir, "memory.max")),
    }
}

/// A quota per [`CPU_PERIOD`].
fn quota(amount: Option<u64>, period: i64) -> i64 {
    let amount = i64::try_from(amount.unwrap_or_default()).unwrap_or_default();
    amount * CPU_PERIOD / period.max(1)
}

fn memory(bytes: Option<u64>) -> i64 {
    let bytes = bytes.filter(|bytes| *bytes < UNLIMITED);
    i64::try_from(bytes.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::resource::cgroup::Mount;

    fn groups(dir: &Path, mounts: &[(&str, Kind)]) -> Cgroups {
        let mount = |(path, kind): &(&str, Kind)| {
            fs::create_dir_all(dir.join(path).join("pod")).unwrap();
            Mount {
                path: dir.join(path),
                kind: kind.clone(),
            }
        };
        Cgroups {
            root: "/".into(),
            mounts: mounts.iter().map(mount).collect(),
        }
    }

    #[test]
    fn what_is_set_is_read_back_and_no_limit_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let v1 = |name: &str| Kind::V1(vec![name.to_owned()]);
        let old = groups(dir.path(), &[("cpu", v1("cpu")), ("memory", v1("memory"))]);
        let new = groups(dir.path(), &[("unified", Kind::V2)]);
        let file = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
        file("cpu/pod/cpu.cfs_quota_us", "-1\n");
        file("memory/pod/memory.limit_in_bytes", "9223372036854771712\n");
        file("unified/pod/cpu.max", "max 100000\n");
        file("unified/pod/memory.max", "max\n");
        let wanted = CgroupLimits {
            cpu_shares: 102,
            cpu_quota: 20_000,
            memory: 64 << 20,
        };
        for groups in [old, new] {
            assert_eq!(groups.limits("/pod"), CgroupLimits::default());
            groups.set_limits("/pod", wanted).unwrap();
            let unread = CgroupLimits {
                cpu_shares: 0,
                ..wanted
            };
            assert_eq!(groups.limits("/pod"), unread);
        }
    }
}
