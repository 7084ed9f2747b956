//! `cargo xtask fuzz`: feeds every decoder, merge and frame with what it doesn't expect, for as long
//! as you like. `tests/src/fuzz` is the harness.

use anyhow::Result;
use clap::Args;

use crate::run;

/// Options of `fuzz`.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// Seconds for each target
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Inputs for each target, at most
    #[arg(long)]
    inputs: Option<u64>,
    /// Only this target; may be given several times
    #[arg(long)]
    only: Vec<String>,
    /// Chooses the inputs [default: the time]
    #[arg(long)]
    seed: Option<u64>,
}

impl Fuzz {
    pub(crate) fn run(self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(run::seed);
        let mut command = run::cargo();
        command.args(["run", "--quiet", "--release", "--package", "k8s-tests"]);
        command.args(["--bin", "fuzz", "--", "--seed", &seed.to_string()]);
        command.args(["--seconds", &self.seconds.to_string()]);
        if let Some(inputs) = self.inputs {
            command.args(["--inputs", &inputs.to_string()]);
        }
        for name in &self.only {
            command.args(["--only", name]);
        }
        run::check(&mut command)
    }
}
