//! The end-to-end lane: the stock `kubectl` against the real cluster, with real containers, rules
//! and links. `cargo xtask test` runs it inside a network namespace of its own.
//!
//! A scenario is a function that fails with a message; none is ever skipped. Names on the command
//! line choose among them.

mod cluster;
mod leftovers;
mod node;
mod scenario;
mod shell;
mod transcript;

use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let (mut passed, mut failed) = (0, 0);
    for (name, run) in scenario::ALL {
        if !chosen.is_empty() && !chosen.iter().any(|choice| choice == name) {
            continue;
        }
        let started = Instant::now();
        println!("scenario {name} ...");
        match run() {
            Ok(()) => {
                passed += 1;
                println!(
                    "scenario {name} ... ok ({:.1} s)",
                    started.elapsed().as_secs_f64()
                );
            }
            Err(error) => {
                failed += 1;
                println!("scenario {name} ... FAILED: {error:?}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
