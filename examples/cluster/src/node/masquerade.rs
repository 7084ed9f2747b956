//! The way out: what pods send to anybody but pods leaves with their node's address, since nobody else knows the way
//! back to theirs. Between pods, addresses stay as they are.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::network::POD_NETWORK;

const CHAIN: &str = "K8S-POD-MASQ";

/// Makes the rules, unless they are there.
pub(crate) fn ensure() -> Result<()> {
    // The chain first and at once, so that no packet meets half of it.
    let rules = format!(
        "*nat\n\
         :{CHAIN} - [0:0]\n\
         -A {CHAIN} -d {POD_NETWORK} -j RETURN\n\
         -A {CHAIN} -d 224.0.0.0/4 -j RETURN\n\
         -A {CHAIN} -j MASQUERADE --random-fully\n\
         COMMIT\n"
    );
    let mut restore = Command::new("iptables-restore")
        .args(["--noflush", "--wait"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("iptables is not installed")?;
    let mut stdin = restore.stdin.take().context("its input is ours")?;
    stdin.write_all(rules.as_bytes())?;
    drop(stdin);
    let output = restore.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "iptables-restore: {}", said.trim());
    if !jump("--check")? {
        ensure!(jump("--append")?, "iptables takes no rule");
    }
    Ok(())
}

/// Removes them.
pub(crate) fn remove() -> Result<()> {
    while jump("--delete")? {}
    for what in ["--flush", "--delete-chain"] {
        iptables(&[what, CHAIN])?;
    }
    Ok(())
}

fn jump(what: &str) -> Result<bool> {
    iptables(&[
        what,
        "POSTROUTING",
        "--source",
        POD_NETWORK,
        "--jump",
        CHAIN,
    ])
}

/// Whether iptables did, or knows, what it was told.
fn iptables(words: &[&str]) -> Result<bool> {
    let mut command = Command::new("iptables");
    command.args(["--wait", "--table", "nat"]).args(words);
    Ok(command
        .output()
        .context("iptables is not installed")?
        .status
        .success())
}
