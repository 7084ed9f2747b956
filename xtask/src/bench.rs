//! `cargo xtask bench NAME`: builds in release mode and runs `benches/src/bin/NAME.rs` in a lane.

use anyhow::Result;
use clap::Args;

use crate::{build, install, lane::Lane, run};

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Bench {
    /// The benchmark: startup, memory, object-memory, create, update, get, list, watch, patch, apply, pod-start, store,
    /// validate
    name: String,
    /// Its own arguments
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        match self.name.as_str() {
            "store" => {
                install::ensure(&[install::ETCD])?;
                self.alone()
            }
            "validate" => self.alone(),
            _ => self.cluster(),
        }
    }

    /// Those that need no cluster.
    fn alone(self) -> Result<()> {
        let mut command = run::cargo();
        command.args(["run", "--quiet", "--release", "--package", "k8s-benches"]);
        run::check(command.args(["--bin", &self.name, "--"]).args(self.rest))
    }

    fn cluster(self) -> Result<()> {
        install::ensure(&[install::BUILD, install::NODE])?;
        run::check(
            run::cargo()
                .args(["build", "--quiet", "--release", "--package", "cluster"])
                .args(["--package", "k8s-benches", "--bins"]),
        )?;
        let images = build::images()?;
        let lane = Lane::open()?;
        let mut command = lane.command(&build::release().join(&self.name));
        command
            .env("CLUSTER", build::release().join("cluster"))
            .env("IMAGES", images);
        run::check(command.args(self.rest))
    }
}
