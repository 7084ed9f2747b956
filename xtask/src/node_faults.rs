//! `cargo xtask node-faults`: kills the parts of a node at random, for as long as you like.
//! `tests/src/scenario/node_faults` is the harness.

use anyhow::Result;
use clap::Args;

use crate::{install, run, test};

/// Options of `node-faults`.
#[derive(Args)]
pub(crate) struct NodeFaults {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Chooses the faults [default: the time]
    #[arg(long)]
    seed: Option<u64>,
}

impl NodeFaults {
    pub(crate) fn run(self) -> Result<()> {
        install::ensure(&[install::BUILD, install::NODE, install::TEST])?;
        let seed = self.seed.unwrap_or_else(run::seed);
        let settings = [
            ("FAULT_SECONDS", (self.minutes * 60).to_string()),
            ("FAULT_SEED", seed.to_string()),
        ];
        test::end_to_end(&["node-faults".to_owned()], &settings)
    }
}
