//! Does the embedded store keep its word when everything around it breaks?
//!
//! Three ways to find out, each in a file: [`kill`] ends a writing process with SIGKILL, [`power`]
//! drops what was not synced, [`fault`] lets operations on files fail. The work is the same in all
//! ([`workload`]), and so is what must hold ([`account`]): no acknowledged write is lost, none is half
//! there, no revision comes twice, and watchers that resume from their last revision see every event
//! exactly once.
//!
//! `cargo xtask crash --kills 500 --seed 1` runs it; a short run is part of the tests.

mod account;
mod fault;
mod kill;
mod power;
mod verify;
mod workload;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Parser;
use k8s_store::{Retention, embedded::EmbeddedOptions, testing::Dice};

/// Crashes the embedded store and looks at what is left.
#[derive(Parser)]
struct Options {
    /// Processes to kill
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Times to cut the power
    #[arg(long, default_value_t = 200)]
    cuts: u64,
    /// Faults to inject
    #[arg(long, default_value_t = 200)]
    faults: u64,
    /// Chooses the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Be the process that is killed: write to this directory
    #[arg(long, hide = true)]
    write_to: Option<PathBuf>,
}

/// Small segments and eager rewrites, so that those are hit as well.
const STORE: EmbeddedOptions = EmbeddedOptions {
    retention: Retention {
        age: Duration::MAX,
        changes: 600,
    },
    segment_bytes: 16 << 10,
    rewrite_bytes: 64 << 10,
};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(violation) => {
            eprintln!("VIOLATION: {violation:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(dir) = &options.write_to {
        return runtime.block_on(kill::write(dir));
    }
    let mut dice = Dice::new(options.seed);
    println!("seed {}", options.seed);
    runtime.block_on(async {
        kill::run(options.kills, &mut dice).await?;
        power::run(options.cuts, &mut dice).await?;
        fault::run(options.faults, &mut dice).await
    })
}
