//! A node that joins a cluster: started, killed, started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{
    cluster::tail,
    shell::{Outcome, setting},
};

/// The cluster's program as a node, on a data directory of its own.
pub(crate) struct Node {
    name: String,
    data: PathBuf,
    server: String,
    /// The network namespace that is its machine, unless it is this one.
    namespace: Option<String>,
    process: Option<Child>,
}

impl Node {
    /// A node that will join the API at `https://HOST:PORT`.
    pub(crate) fn new(name: &str, data: &Path, server: &str) -> Node {
        Node {
            name: name.to_owned(),
            data: data.to_owned(),
            server: server.to_owned(),
            namespace: None,
            process: None,
        }
    }

    /// On the machine that is this network namespace.
    pub(crate) fn inside(mut self, namespace: &str) -> Node {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// A program on its machine.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let Some(namespace) = &self.namespace else {
            return Command::new(program);
        };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{namespace}"));
        command.arg("--").arg(program);
        command
    }

    /// The output of a line of shell on its machine, which has to succeed.
    pub(crate) fn sh(&self, line: &str) -> Result<String> {
        let mut command = self.command(Path::new("bash"));
        Outcome::from(command.args(["-c", line]).output()?).expect_success(line)
    }

    /// The cluster's program with this node's options.
    pub(crate) fn program(&self) -> Result<Command> {
        let mut command = self.command(&setting("CLUSTER")?);
        command.arg("--data-dir").arg(&self.data);
        command.args(["--node-name", &self.name, "--join", &self.server]);
        Ok(command)
    }

    /// Starts it; the first time it needs a token.
    pub(crate) fn join(&mut self, token: Option<&str>) -> Result<()> {
        let log = self.data.with_extension("log");
        let log = File::options().append(true).create(true).open(log)?;
        let mut command = self.program()?;
        command.arg("--image-dir").arg(setting("IMAGES")?);
        if let Some(token) = token {
            command.args(["--token", token]);
        }
        command.stdout(Stdio::from(log.try_clone()?)).stderr(log);
        self.process = Some(command.spawn()?);
        Ok(())
    }

    /// SIGKILL: no goodbye.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the node runs")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Stops it, and removes all that it made.
    pub(crate) fn teardown(&mut self) -> Result<()> {
        let mut command = self.command(&setting("CLUSTER")?);
        command.arg("--data-dir").arg(&self.data);
        command.args(["--node-name", &self.name, "--teardown"]);
        Outcome::from(command.output()?).expect_success("teardown of a node")?;
        if let Some(mut process) = self.process.take() {
            let status = process.wait()?;
            ensure!(status.success(), "the node ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Still there only if the scenario failed: it must not disturb the next one.
        if let Some(mut process) = self.process.take() {
            println!("{}", tail(&self.data.with_extension("log")));
            let _ = process.kill();
            let _ = process.wait();
            let _ = self.teardown();
        }
    }
}
