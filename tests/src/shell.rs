//! Commands as a person types them.

use std::{
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A setting that `cargo xtask test` gives: a path to a program or directory.
pub(crate) fn setting(name: &str) -> Result<PathBuf> {
    let value = std::env::var_os(name);
    Ok(value
        .with_context(|| format!("{name} is not set: start the lane with `cargo xtask test`"))?
        .into())
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Outcome {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// The standard output of a command that had to succeed.
    pub(crate) fn expect_success(self, what: &str) -> Result<String> {
        if !self.success {
            bail!("{what} failed: {}{}", self.stderr, self.stdout);
        }
        Ok(self.stdout)
    }

    /// The standard error of a command that had to fail.
    pub(crate) fn expect_failure(self, what: &str) -> Result<String> {
        if self.success {
            bail!("{what} succeeded, though it should not: {}", self.stdout);
        }
        Ok(self.stderr)
    }
}

/// Runs a line in bash, with `kubectl` in the path and set to a cluster, from the project's root.
pub(crate) fn bash(line: &str, kubeconfig: &std::path::Path) -> Result<Outcome> {
    let kubectl = setting("KUBECTL")?;
    let tools = kubectl.parent().context("kubectl lies in a directory")?;
    let path = format!(
        "{}:{}",
        tools.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new("bash");
    command
        .args(["-o", "pipefail", "-c", line])
        .current_dir(setting("ROOT")?);
    command.env("PATH", path).env("KUBECONFIG", kubeconfig);
    Ok(command.output().context("cannot run bash")?.into())
}

/// Asks until `check` holds; its last complaint is the error.
pub(crate) fn eventually(
    what: &str,
    patience: Duration,
    mut check: impl FnMut() -> Result<()>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        match check() {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > patience => {
                return Err(error.context(format!("{what}: not in {patience:?}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
