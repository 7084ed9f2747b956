//! What a cluster must not leave behind: counted before and after.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Result, bail};

/// Everything outside the data directory that a node makes, by name.
#[derive(Debug, PartialEq)]
pub(crate) struct Footprint(BTreeSet<String>);

impl Footprint {
    /// Looks at this network namespace, the mount table and the cgroups.
    pub(crate) fn observe() -> Result<Footprint> {
        let mut found = BTreeSet::new();
        for line in output("ip", &["-o", "link"])?.lines() {
            if let Some(name) = line.split(' ').nth(1) {
                found.insert(format!("link {}", name.split('@').next().unwrap_or(name)));
            }
        }
        for line in output("iptables-save", &[])?.lines() {
            if line.starts_with(":KUBE-") || line.starts_with(":K8S-") || line.starts_with("-A ") {
                let rule = line.split(" [").next().unwrap_or(line);
                found.insert(format!("rule {rule}"));
            }
        }
        for line in fs::read_to_string("/proc/self/mountinfo")?.lines() {
            let point = line.split(' ').nth(4).unwrap_or_default();
            found.insert(format!("mount {point}"));
        }
        for root in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/unified",
        ] {
            for entry in fs::read_dir(root).into_iter().flatten() {
                let entry = entry?;
                if entry.path().is_dir() {
                    found.insert(format!("cgroup {}", entry.path().display()));
                }
            }
        }
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // `PID (NAME) STATE ...`; what has ended and waits for its parent is no process any more.
            let Some((command, rest)) = stat
                .split_once('(')
                .and_then(|(_, rest)| rest.rsplit_once(") "))
            else {
                continue;
            };
            let is_ours = ["containerd", "pause", "kuard"]
                .iter()
                .any(|name| command.starts_with(name));
            if is_ours && !rest.starts_with('Z') {
                found.insert(format!(
                    "process {command} {}",
                    entry.file_name().to_string_lossy()
                ));
            }
        }
        for entry in fs::read_dir("/run/netns").into_iter().flatten() {
            found.insert(format!("netns {}", entry?.file_name().to_string_lossy()));
        }
        Ok(Footprint(found))
    }

    /// Complains about everything that is there now and was not before.
    pub(crate) fn check_nothing_new(&self, since: &str) -> Result<()> {
        let now = Footprint::observe()?;
        let new: Vec<&String> = now.0.difference(&self.0).collect();
        if !new.is_empty() {
            bail!("left behind {since}: {new:#?}");
        }
        Ok(())
    }
}

fn output(program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program).args(words).output()?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
