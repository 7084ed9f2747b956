//! Starts that can't work: one clear line, a non-zero exit, nothing lost.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Command,
};

use anyhow::{Result, bail, ensure};

use crate::{
    cluster::Cluster,
    shell::{self, Outcome},
};

pub(crate) fn run() -> Result<()> {
    port_in_use()?;
    missing_containerd()?;
    missing_rights()?;
    damaged_data()?;
    unreadable_data()?;
    second_process()?;
    full_disk()
}

/// Runs the cluster to its end, which has to be an error told in one line.
fn complaint(data: &Path, options: &[&str]) -> Result<String> {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    error_line(&mut Cluster::command(data, &options)?)
}

fn error_line(command: &mut Command) -> Result<String> {
    let outcome = Outcome::from(command.output()?);
    let errors = outcome.expect_failure("a start that can't work")?;
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    match lines.as_slice() {
        [line] => Ok((*line).to_owned()),
        _ => bail!("not one line that starts with `error: `:\n{errors}"),
    }
}

fn port_in_use() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let taken = TcpListener::bind("0.0.0.0:0")?;
    let port = taken.local_addr()?.port().to_string();
    let line = complaint(
        &directory.path().join("cluster"),
        &["--node", "none", "--port", &port],
    )?;
    ensure!(line.contains(&port) && line.contains("in use"), "{line}");
    Ok(())
}

fn missing_containerd() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("nowhere.sock");
    let socket = socket.to_string_lossy();
    let line = complaint(
        &directory.path().join("cluster"),
        &["--containerd-socket", &socket],
    )?;
    ensure!(line.contains(&*socket), "{line}");
    Ok(())
}

/// Somebody who isn't root is told of the nodes that need no rights.
fn missing_rights() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let anyone = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), anyone)?;
    const NOBODY: u32 = 65534;
    let command = Cluster::command(&directory.path().join("cluster"), &[])?;
    // The program itself may lie where only root looks.
    let program = directory.path().join("program");
    fs::copy(command.get_program(), &program)?;
    let mut unprivileged = Command::new(program);
    unprivileged
        .args(command.get_args())
        .uid(NOBODY)
        .gid(NOBODY);
    let line = error_line(&mut unprivileged)?;
    ensure!(
        line.contains("root") && line.contains("--node hollow"),
        "{line}"
    );
    Ok(())
}

/// A flipped byte in the middle of the log is damage, never silently cut.
fn damaged_data() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "none"])?;
    cluster.sh("kubectl create configmap kept --from-literal=a=b")?;
    cluster.stop()?;
    let mut logs: Vec<_> = fs::read_dir(data.join("store"))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    logs.sort_by_key(|path| path.metadata().map(|meta| meta.len()).unwrap_or(0));
    let Some(log) = logs.pop() else {
        bail!("the store keeps no file")
    };
    let mut bytes = fs::read(&log)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&log, &bytes)?;
    let line = complaint(&data, &["--node", "none"])?;
    ensure!(
        line.contains(&*log.to_string_lossy()) && line.contains("offset"),
        "{line}"
    );
    bytes[middle] ^= 0xff;
    fs::write(&log, &bytes)?;
    cluster.resume()?;
    cluster.sh("kubectl get configmap kept")?;
    cluster.stop()
}

/// A data directory that is a file can be neither read nor made.
fn unreadable_data() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    fs::write(&data, "not a directory")?;
    let line = complaint(&data, &["--node", "none"])?;
    ensure!(line.contains(&*data.to_string_lossy()), "{line}");
    Ok(())
}

fn second_process() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "none"])?;
    let line = complaint(&data, &["--node", "none", "--port", "6444"])?;
    ensure!(line.contains("in use by another"), "{line}");
    cluster.stop()
}

/// Writes stop with a clear answer, reads go on, nothing acknowledged is lost, and space that
/// returns is used.
fn full_disk() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let disk = directory.path().join("disk");
    fs::create_dir(&disk)?;
    let mount = |words: &[&str]| -> Result<()> {
        Outcome::from(Command::new(words[0]).args(&words[1..]).output()?)
            .expect_success(words[0])
            .map(drop)
    };
    mount(&[
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=8m",
        "lane",
        &disk.to_string_lossy(),
    ])?;
    let outcome = fill_and_recover(&disk);
    mount(&["umount", "--lazy", &disk.to_string_lossy()])?;
    outcome
}

fn fill_and_recover(disk: &Path) -> Result<()> {
    let data = disk.join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "none"])?;
    let value = disk.parent().unwrap_or(disk).join("value");
    fs::write(&value, "x".repeat(200_000))?;
    let mut acknowledged = Vec::new();
    let refusal = loop {
        let name = format!("filler-{}", acknowledged.len());
        let outcome = cluster.bash(&format!(
            "kubectl create configmap {name} --from-file={}",
            value.display()
        ))?;
        if !outcome.success {
            break outcome.stderr;
        }
        acknowledged.push(name);
        ensure!(acknowledged.len() < 100, "a disk of 8 MB never fills");
    };
    ensure!(refusal.contains("no space left"), "{refusal}");
    let list = "kubectl get configmaps -o name | grep -c filler";
    ensure!(
        cluster.sh(list)?.trim() == acknowledged.len().to_string(),
        "reads go on"
    );

    shell::bash(
        &format!("mount -o remount,size=64m {}", disk.display()),
        &cluster.kubeconfig(),
    )?
    .expect_success("growing the disk")?;
    cluster.sh("kubectl create configmap after --from-literal=a=b")?;
    cluster.kill()?;
    cluster.resume()?;
    ensure!(
        cluster.sh(list)?.trim() == acknowledged.len().to_string(),
        "nothing acknowledged is lost"
    );
    cluster.sh("kubectl get configmap after")?;
    cluster.stop()
}
