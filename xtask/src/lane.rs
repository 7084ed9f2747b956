//! A network of its own: a namespace with a default route, for everything that touches
//! interfaces, rules or ports. Dropping the lane removes it, whatever happened inside.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::run;

/// A network namespace `NAME` joined to this one by a pair of links.
pub(crate) struct Lane {
    name: String,
}

impl Lane {
    /// Makes the namespace. Needs root.
    pub(crate) fn open() -> Result<Lane> {
        if !run::is_root() {
            bail!("network namespaces need root");
        }
        let id = std::process::id() % 100_000;
        let lane = Lane {
            name: format!("k8s-lane-{id}"),
        };
        let (near, far) = (format!("k8sl{id}"), format!("k8sr{id}"));
        // A /30 out of the range that RFC 2544 keeps for tests.
        let net = format!("198.18.{}", id % 256);
        ip(&["netns", "add", &lane.name])?;
        ip(&[
            "link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &lane.name,
        ])?;
        ip(&["addr", "add", &format!("{net}.1/30"), "dev", &near])?;
        ip(&["link", "set", &near, "up"])?;
        let inside = |words: &[&str]| ip(&[&["-n", &lane.name], words].concat());
        inside(&["link", "set", "lo", "up"])?;
        inside(&["addr", "add", &format!("{net}.2/30"), "dev", &far])?;
        inside(&["link", "set", &far, "up"])?;
        // Without a default route the kernel refuses service addresses before any rule sees them.
        inside(&["route", "add", "default", "via", &format!("{net}.1")])?;
        Ok(lane)
    }

    /// A command that runs inside. `nsenter`, since `ip netns exec` would remount /sys and hide
    /// the cgroup hierarchies.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg("--")
            .arg(program);
        command
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The links go with the namespace.
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("cannot remove the lane: {error:#}");
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    run::output(Command::new("ip").args(words)).map(drop)
}
