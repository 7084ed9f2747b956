//! Does anything that reads what strangers write panic, or break its own laws?
//!
//! Each target in [`target`] makes inputs from a seed and says what must hold for any of them: no
//! panic, and where there is one a law beside that (what was printed reads the same again, twice is
//! once). [`run`] keeps a target busy and cuts what breaks it down to what matters. Needs no nightly
//! compiler: inputs are mutations of the maximal objects of all kinds ([`corpus`], [`tree`]), of valid
//! texts and bytes ([`mutate`]), or follow a grammar.
//!
//! `cargo xtask fuzz --seconds 60` runs it; a short run is part of the tests.

mod corpus;
mod mutate;
mod run;
mod server;
mod target;
mod tree;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

/// Feeds every decoder, merge and frame with what it doesn't expect.
#[derive(Parser)]
struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Inputs for each target, at most
    #[arg(long)]
    inputs: Option<u64>,
    /// Only this target, or those
    #[arg(long)]
    only: Vec<String>,
    /// Chooses the inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let is_wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let limits = run::Limits {
        time: Duration::from_secs_f64(options.seconds),
        inputs: options.inputs.unwrap_or(u64::MAX),
        seed: options.seed,
    };
    println!("seed {}", options.seed);
    run::quieten();
    let (mut ran, mut broken) = (0, 0);
    for (name, make) in target::TARGETS {
        if !is_wanted(name) {
            continue;
        }
        ran += 1;
        let outcome = run::run(name, *make, limits);
        println!("{outcome}");
        broken += usize::from(outcome.violation.is_some());
    }
    if ran == 0 {
        let names: Vec<&str> = target::TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("no such target; there are {}", names.join(", "));
    }
    match ran > 0 && broken == 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
