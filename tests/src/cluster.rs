//! The cluster's process: started, killed, started again.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Outcome};

/// How long a start may take before it counts as failed: generous, since machines are shared.
const START: Duration = Duration::from_secs(60);

/// A running cluster on a data directory.
pub(crate) struct Cluster {
    data: PathBuf,
    options: Vec<String>,
    process: Option<Child>,
}

impl Cluster {
    /// Starts a cluster and waits for its `ready in` line.
    pub(crate) fn start(data: &Path, options: &[&str]) -> Result<Cluster> {
        let mut cluster = Cluster {
            data: data.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            process: None,
        };
        cluster.resume()?;
        Ok(cluster)
    }

    /// The command that starts it.
    pub(crate) fn command(data: &Path, options: &[String]) -> Result<Command> {
        let mut command = Command::new(shell::setting("CLUSTER")?);
        command
            .arg("--data-dir")
            .arg(data)
            .arg("--kubeconfig")
            .arg(data.join("kubeconfig"));
        command
            .arg("--image-dir")
            .arg(shell::setting("IMAGES")?)
            .args(options);
        Ok(command)
    }

    /// Starts the same command again, after a stop or a kill.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let log = self.data.with_extension("log");
        let errors = File::options().append(true).create(true).open(&log)?;
        let mut command = Self::command(&self.data, &self.options)?;
        let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        self.process = Some(child);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("ready in ") {
                    let _ = sender.send(line);
                }
            }
        });
        match receiver.recv_timeout(START) {
            Ok(line) => {
                println!("  {line}");
                Ok(())
            }
            Err(_) => bail!("the cluster did not become ready:\n{}", tail(&log)),
        }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.data.join("kubeconfig")
    }

    /// Where containerd listens.
    pub(crate) fn containerd(&self) -> PathBuf {
        self.data.join("containerd/containerd.sock")
    }

    /// SIGKILL: no goodbye.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the cluster runs")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// SIGTERM, which has to end with exit code 0.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the cluster runs")?;
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = process.wait()?;
        if !status.success() {
            bail!(
                "SIGTERM ended the cluster with {status}:\n{}",
                tail(&self.data.with_extension("log"))
            );
        }
        Ok(())
    }

    /// Removes all that it made, as `cargo xtask down` does.
    pub(crate) fn teardown(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.stop()?;
        }
        let mut command = Command::new(shell::setting("CLUSTER")?);
        let output = command
            .arg("--teardown")
            .arg("--data-dir")
            .arg(&self.data)
            .output()?;
        Outcome::from(output).expect_success("teardown").map(drop)
    }

    /// Runs a line of shell against it.
    pub(crate) fn bash(&self, line: &str) -> Result<Outcome> {
        shell::bash(line, &self.kubeconfig())
    }

    /// The output of a line that has to succeed.
    pub(crate) fn sh(&self, line: &str) -> Result<String> {
        self.bash(line)?.expect_success(line)
    }

    /// IDs of the running containers, sandboxes included, as the runtime sees them.
    pub(crate) fn containers(&self) -> Result<Vec<String>> {
        let socket = self.containerd();
        let listing = self.sh(&format!(
            "ctr --address {} --namespace k8s.io tasks list",
            socket.display()
        ))?;
        let running = listing.lines().filter(|line| line.contains("RUNNING"));
        let mut ids: Vec<String> = running
            .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
            .collect();
        ids.sort();
        Ok(ids)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A failed scenario must not leave containers behind for the next one.
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = self.teardown();
    }
}

/// The end of a log.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
