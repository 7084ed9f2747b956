//! `cargo xtask bench NAME`: builds in release mode and runs `benches/src/bin/NAME.rs` in a lane.

use anyhow::Result;
use clap::Args;

use crate::{build, install, lane::Lane, run};

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Bench {
    /// The benchmark: startup, memory, create, list, pod-start
    name: String,
    /// Its own arguments
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
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
