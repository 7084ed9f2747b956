//! The only place that runs programs: `iptables-restore` for rules, `iptables` for the jumps from the
//! kernel's own chains.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    chain,
    writer::{Ruleset, Table},
};
use crate::Error;

/// A jump from one of the kernel's chains to one of ours.
struct Jump {
    table: &'static str,
    from: &'static str,
    condition: &'static [&'static str],
    to: &'static str,
}

const NEW: &[&str] = &["-m", "conntrack", "--ctstate", "NEW"];

/// In the order in which they are put in front, so the last one of a chain is met first. The jump in
/// POSTROUTING has to come before the CNI plugins' masquerading, which accepts same-subnet traffic.
const JUMPS: &[Jump] = &[
    Jump {
        table: "filter",
        from: "INPUT",
        condition: NEW,
        to: chain::EXTERNAL,
    },
    Jump {
        table: "filter",
        from: "INPUT",
        condition: &[],
        to: chain::FIREWALL,
    },
    Jump {
        table: "filter",
        from: "FORWARD",
        condition: NEW,
        to: chain::EXTERNAL,
    },
    Jump {
        table: "filter",
        from: "FORWARD",
        condition: NEW,
        to: chain::SERVICES,
    },
    Jump {
        table: "filter",
        from: "FORWARD",
        condition: &[],
        to: chain::FORWARD,
    },
    Jump {
        table: "filter",
        from: "OUTPUT",
        condition: NEW,
        to: chain::SERVICES,
    },
    Jump {
        table: "filter",
        from: "OUTPUT",
        condition: &[],
        to: chain::FIREWALL,
    },
    Jump {
        table: "nat",
        from: "PREROUTING",
        condition: &[],
        to: chain::SERVICES,
    },
    Jump {
        table: "nat",
        from: "OUTPUT",
        condition: &[],
        to: chain::SERVICES,
    },
    Jump {
        table: "nat",
        from: "POSTROUTING",
        condition: &[],
        to: chain::POSTROUTING,
    },
];

/// Applies `iptables-restore` text without touching what it doesn't name.
pub async fn apply(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let program = "iptables-restore";
    let mut child = Command::new(program)
        .args(["--noflush", "-w", "10"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Error::Spawn { program, error })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A write fails only if the program has ended, and then its status tells why.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(|error| Error::Spawn { program, error })?;
    check(program, &output)
}

/// Makes sure that the kernel's chains lead to ours.
pub async fn ensure_jumps() -> Result<(), Error> {
    for jump in JUMPS {
        if !exists(jump).await? {
            run(&[
                &["-t", jump.table, "-I", jump.from, "1"],
                jump.condition,
                &["-j", jump.to],
            ]
            .concat())
            .await?;
        }
    }
    Ok(())
}

/// Our chains as they stand in the kernel: what an earlier run left. The rules themselves are not
/// read, so every chain differs from what will be wanted and is written again.
pub async fn left_behind() -> Result<Ruleset, Error> {
    Ok(Ruleset {
        nat: ours("nat").await?,
        filter: ours("filter").await?,
    })
}

/// Removes every jump and every chain of ours. What is not there is no error.
pub async fn remove_all() -> Result<(), Error> {
    for jump in JUMPS {
        while exists(jump).await? {
            run(&[
                &["-t", jump.table, "-D", jump.from],
                jump.condition,
                &["-j", jump.to],
            ]
            .concat())
            .await?;
        }
    }
    apply(&Ruleset::default().since(&left_behind().await?)).await
}

async fn ours(table: &'static str) -> Result<Table, Error> {
    let program = "iptables-save";
    let output = Command::new(program)
        .args(["-t", table])
        .output()
        .await
        .map_err(|error| Error::Spawn { program, error })?;
    check(program, &output)?;
    let mut found = Table::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line
            .strip_prefix(':')
            .and_then(|line| line.split(' ').next());
        // The node agent's own canary and hint chains are not ours.
        if let Some(name) =
            name.filter(|name| name.starts_with("KUBE-") && !name.starts_with("KUBE-KUBELET"))
        {
            found.chain(name).push("# as found".to_owned());
        }
    }
    Ok(found)
}

async fn exists(jump: &Jump) -> Result<bool, Error> {
    let words = [
        &["-w", "10", "-t", jump.table, "-C", jump.from],
        jump.condition,
        &["-j", jump.to],
    ]
    .concat();
    let program = "iptables";
    let status = Command::new(program)
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .map_err(|error| Error::Spawn { program, error })?;
    Ok(status.success())
}

async fn run(words: &[&str]) -> Result<(), Error> {
    let program = "iptables";
    let output = Command::new(program)
        .args(["-w", "10"])
        .args(words)
        .output()
        .await
        .map_err(|error| Error::Spawn { program, error })?;
    check(program, &output)
}

fn check(program: &'static str, output: &std::process::Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { program, detail })
}
