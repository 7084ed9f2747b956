//! `cargo xtask crash`: kills, power cuts and failing files against the embedded store, for as long
//! as you like. `tests/src/crash` is the harness.

use anyhow::Result;
use clap::Args;

use crate::run;

/// Options of `crash`.
#[derive(Args)]
pub(crate) struct Crash {
    /// Processes to kill
    #[arg(long, default_value_t = 500)]
    kills: u64,
    /// Times to cut the power
    #[arg(long, default_value_t = 5_000)]
    cuts: u64,
    /// Faults to inject
    #[arg(long, default_value_t = 5_000)]
    faults: u64,
    /// Chooses the moments [default: the time]
    #[arg(long)]
    seed: Option<u64>,
}

impl Crash {
    pub(crate) fn run(self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(run::seed);
        let mut command = run::cargo();
        command.args([
            "run",
            "--quiet",
            "--package",
            "k8s-tests",
            "--bin",
            "crash",
            "--",
        ]);
        for (name, value) in [
            ("--kills", self.kills),
            ("--cuts", self.cuts),
            ("--faults", self.faults),
            ("--seed", seed),
        ] {
            command.arg(name).arg(value.to_string());
        }
        run::check(&mut command)
    }
}
