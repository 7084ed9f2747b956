//! The project's own commands: `cargo xtask up`, `down`, `test`, `bench`, `crash`, `fuzz`, `node-faults`,
//! `images`.
//!
//! Each command is a file; [`install`] brings what Debian has, [`build`] what cargo makes.

mod bench;
mod build;
mod cluster;
mod crash;
mod debian;
mod etcd;
mod fuzz;
mod image;
mod install;
mod kubectl;
mod lane;
mod machine;
mod node_faults;
mod python;
mod run;
mod test;
mod wheel;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Commands of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, build, and run a cluster in the foreground
    Up(cluster::Up),
    /// Remove all that `up` made
    Down(cluster::Down),
    /// Run every check: format, lints, tests, and the end-to-end lane
    Test(test::Test),
    /// Run one benchmark, which prints a line of JSON
    Bench(bench::Bench),
    /// Kill, starve and unplug the embedded store, and look for violations of its promises
    Crash(crash::Crash),
    /// Feed what reads strangers' input with what it doesn't expect, and look for panics and broken laws
    Fuzz(fuzz::Fuzz),
    /// Kill the parts of a node at random, and look for what was lost, restarted or left behind
    NodeFaults(node_faults::NodeFaults),
    /// Build the demo's and the pause image
    Images,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Up(up) => up.run(),
        Command::Down(down) => down.run(),
        Command::Test(test) => test.run(),
        Command::Bench(bench) => bench.run(),
        Command::Crash(crash) => crash.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::NodeFaults(faults) => faults.run(),
        Command::Images => {
            let directory: PathBuf = build::images()?;
            println!("{}", directory.display());
            Ok(())
        }
    }
}
