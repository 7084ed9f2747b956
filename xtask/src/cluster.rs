//! `up` and `down`: the cluster in the foreground, and away with all that it made.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    build, etcd, install,
    machine::{self, Machines},
    run,
};

/// Where a cluster keeps its state unless told otherwise.
fn default_data_dir() -> PathBuf {
    if run::is_root() {
        return "/var/lib/k8s-crates".into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| "/tmp".into(), PathBuf::from);
    home.join(".local/share/k8s-crates")
}

/// Options of `up`; what they don't cover goes to the cluster's program as it is, behind `--`.
#[derive(Args)]
pub(crate) struct Up {
    /// State directory
    #[arg(long, default_value_os_t = default_data_dir())]
    data_dir: PathBuf,
    /// Where the kubeconfig is written [default: DATA_DIR/kubeconfig]
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Port of the API
    #[arg(long, default_value_t = 6443)]
    port: u16,
    /// cri, hollow, hollow:N or none [default: cri as root, else hollow]
    #[arg(long)]
    node: Option<String>,
    /// Real nodes: those beyond the first get machines of their own, in network namespaces
    #[arg(long, default_value = "1", value_parser = machine::count)]
    nodes: u8,
    /// embedded, memory, etcd=URL[,URL], or etcd for one of the cluster's own, which anyone on this
    /// machine can reach
    #[arg(long, default_value = "embedded")]
    store: String,
    /// Use this containerd rather than one of the cluster's own
    #[arg(long)]
    containerd_socket: Option<PathBuf>,
    /// Further arguments for the cluster's program
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Up {
    pub(crate) fn run(self) -> Result<()> {
        let node = match self.node {
            Some(node) => node,
            None if run::is_root() => "cri".into(),
            None => {
                println!("not root: running a hollow node, whose containers are simulated");
                "hollow".into()
            }
        };
        if self.nodes > 1 && node != "cri" {
            bail!(
                "--nodes is for real ones, which need root; simulated ones: --node hollow:{}",
                self.nodes
            );
        }
        let mut command;
        if node == "cri" {
            install::ensure(&[install::NODE])?;
            let (program, images) = (build::cluster()?, build::images()?);
            command = Command::new(&program);
            command.arg("--image-dir").arg(&images);
            if self.nodes > 1 {
                let machines = Machines::of(&self.data_dir);
                let token = machines.start(self.nodes, &program, &images, self.port)?;
                command.args(["--token", &token]);
                command.args(["--advertise-address", &Machines::address()]);
            }
        } else {
            command = Command::new(build::cluster()?);
        }
        let store = match self.store.as_str() {
            "etcd" => format!("etcd={}", etcd::start(&self.data_dir)?),
            _ => self.store,
        };
        command.arg("--data-dir").arg(&self.data_dir);
        let kubeconfig = self
            .kubeconfig
            .unwrap_or_else(|| self.data_dir.join("kubeconfig"));
        command.arg("--kubeconfig").arg(kubeconfig);
        command.args([
            "--port",
            &self.port.to_string(),
            "--node",
            &node,
            "--store",
            &store,
        ]);
        if let Some(socket) = self.containerd_socket {
            command.arg("--containerd-socket").arg(socket);
        }
        // Becoming the cluster, rather than its parent, leaves Ctrl-C and exit codes as they are.
        let error = command.args(self.rest).exec();
        Err(error).context("cannot start the cluster")
    }
}

/// Options of `down`.
#[derive(Args)]
pub(crate) struct Down {
    /// State directory that `up` used
    #[arg(long, default_value_os_t = default_data_dir())]
    data_dir: PathBuf,
    /// Remove the data as well
    #[arg(long)]
    purge: bool,
}

impl Down {
    pub(crate) fn run(self) -> Result<()> {
        if self.data_dir.exists() {
            let program = build::cluster()?;
            Machines::of(&self.data_dir).stop(&program)?;
            let mut command = Command::new(program);
            run::check(
                command
                    .arg("--teardown")
                    .arg("--data-dir")
                    .arg(&self.data_dir),
            )?;
        }
        etcd::stop(&self.data_dir)?;
        if self.purge && self.data_dir.exists() {
            std::fs::remove_dir_all(&self.data_dir)
                .with_context(|| format!("cannot remove {}", self.data_dir.display()))?;
        }
        Ok(())
    }
}
