//! The cluster's process, as a user starts it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use hyper::Method;

use crate::client::Target;

/// A running cluster; dropping it removes all that it made.
pub struct Cluster {
    data: PathBuf,
    process: Child,
    /// From the start of the process to its `ready in` line.
    pub startup: Duration,
}

impl Cluster {
    /// Starts `cluster` on a data directory and waits until it is ready.
    pub fn start(data: &Path, options: &[&str]) -> Result<Cluster> {
        let mut command = Command::new(program()?);
        command
            .arg("--data-dir")
            .arg(data)
            .args(options)
            .stdout(Stdio::piped());
        if let Some(images) = std::env::var_os("IMAGES") {
            command.arg("--image-dir").arg(images);
        }
        let log = std::fs::File::create(data.with_extension("log"))?;
        let started = Instant::now();
        let mut process = command.stderr(log).spawn()?;
        let stdout = process.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next().transpose()? {
            if line.starts_with("ready in ") {
                let startup = started.elapsed();
                // Keep the pipe drained.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Cluster {
                    data: data.to_owned(),
                    process,
                    startup,
                });
            }
        }
        bail!(
            "the cluster ended before it was ready; see {}",
            data.with_extension("log").display()
        )
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.data.join("kubeconfig")
    }

    /// How often the store has called fsync since the start, as `/metrics` tells; none if it keeps
    /// nothing on disk.
    pub async fn fsyncs(&self) -> Result<u64> {
        let target = Target::from_kubeconfig(&self.kubeconfig())?;
        let mut client = target.connect().await?;
        let metrics = client.call(Method::GET, "/metrics", "").await?;
        let metrics = String::from_utf8_lossy(&metrics);
        let mut lines = metrics.lines();
        let counter = lines.find_map(|line| line.strip_prefix("store_fsyncs_total "));
        Ok(counter.map_or(Ok(0), str::parse)?)
    }

    /// SIGTERM, and wait.
    pub fn stop(&mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Ok(program) = program() {
            let _ = Command::new(program)
                .arg("--teardown")
                .arg("--data-dir")
                .arg(&self.data)
                .output();
        }
    }
}

fn program() -> Result<PathBuf> {
    let program = std::env::var_os("CLUSTER");
    Ok(program
        .context("CLUSTER is not set: use `cargo xtask bench NAME`")?
        .into())
}
