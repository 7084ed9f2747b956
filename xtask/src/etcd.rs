//! An etcd of one member under the data directory, for trying `--store etcd`.
//!
//! Like containerd, it outlives the cluster's process: `down` stops it.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{build, debian, install};

/// How long it may take to serve, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// Debian 13's etcd, the oldest line that is still kept up.
const NEWER: debian::Package = debian::Package {
    path: "pool/main/e/etcd/etcd-server_3.5.16-4_amd64.deb",
    sha256: "0875921bb0d023f2af9b8e15cdfbe417a03e65731345fb832c40f9c2dd72967b",
};

/// Where it keeps what.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn of(data_dir: &Path) -> Self {
        Place {
            dir: data_dir.join("etcd"),
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("pid")
    }

    /// The ports for clients and for other members, chosen once.
    fn ports(&self) -> Result<(u16, u16)> {
        let file = self.dir.join("ports");
        if let Ok(text) = fs::read_to_string(&file) {
            let known = text.trim().split_once(' ').context("two ports")?;
            return Ok((known.0.parse()?, known.1.parse()?));
        }
        let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
        let (client, peer) = (free()?.port(), free()?.port());
        fs::write(&file, format!("{client} {peer}\n"))?;
        Ok((client, peer))
    }

    /// The process, if it runs.
    fn running(&self) -> Option<Pid> {
        let pid: i32 = fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        (program.file_name()? == "etcd").then(|| Pid::from_raw(pid))?
    }
}

/// Starts it, unless it runs, and gives its URL.
pub(crate) fn start(data_dir: &Path) -> Result<String> {
    install::ensure(&[install::ETCD])?;
    let place = Place::of(data_dir);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&place.dir)?;
    let (client, peer) = place.ports()?;
    let url = format!("http://127.0.0.1:{client}");
    if place.running().is_none() {
        let peer = format!("http://127.0.0.1:{peer}");
        let log = fs::File::create(place.dir.join("log"))?;
        let child = Command::new("etcd")
            .args(["--name", "one", "--log-level", "warn", "--data-dir"])
            .arg(place.dir.join("data"))
            .args([
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
            ])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0) // Ctrl-C is for the cluster
            .spawn()
            .context("cannot run etcd")?;
        fs::write(place.pid_file(), child.id().to_string())?;
    }
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", client)).is_err() {
        if place.running().is_none() || begun.elapsed() > PATIENCE {
            bail!(
                "etcd does not serve; see {}",
                place.dir.join("log").display()
            );
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(url)
}

/// The path of an etcd newer than the machine's own, downloaded once into the build directory.
pub(crate) fn newer() -> Result<PathBuf> {
    let directory = build::release().join("tools/etcd-3.5.16");
    if !directory.exists() {
        let unfinished = directory.with_extension("tmp");
        debian::unpack(&NEWER, &unfinished)?;
        fs::rename(&unfinished, &directory)?;
    }
    Ok(directory.join("usr/bin/etcd"))
}

/// Stops it, if it runs. Its data stay.
pub(crate) fn stop(data_dir: &Path) -> Result<()> {
    let place = Place::of(data_dir);
    let Some(pid) = place.running() else {
        return Ok(());
    };
    kill_process(pid, Signal::TERM).context("cannot stop etcd")?;
    let begun = Instant::now();
    while place.running() == Some(pid) {
        if begun.elapsed() > PATIENCE {
            bail!("etcd (process {}) does not stop", pid.as_raw_nonzero());
        }
        thread::sleep(Duration::from_millis(20));
    }
    fs::remove_file(place.pid_file()).context("cannot forget etcd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_started_once_and_keeps_its_place() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = start(dir.path()).expect("it serves");
        let place = Place::of(dir.path());
        let pid = place.running().expect("it runs");
        assert_eq!(start(dir.path()).expect("it serves"), url);
        assert_eq!(place.running(), Some(pid), "it was started twice");
        stop(dir.path()).expect("it stops");
        assert_eq!(place.running(), None);
        stop(dir.path()).expect("there is nothing to stop");
        assert_eq!(start(dir.path()).expect("it serves again"), url);
        stop(dir.path()).expect("it stops");
    }
}
