//! A Kubernetes cluster in one process, wired out of the crates: nothing here decides anything.
//!
//! [`control_plane`] is the API server, [`component`] runs controllers and scheduler, [`worker`] what is on each
//! node; [`node`] manages what a real node needs around them. [`join`] is a node without a control plane. `cargo xtask up` runs it.

mod addon;
mod args;
mod audit;
mod backup;
mod component;
mod control_plane;
mod identity;
mod join;
mod keys;
mod layout;
mod mount;
mod network;
mod node;
mod progress;
mod ready;
mod run;
mod stop;
mod storage;
mod teardown;
mod token;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{args::Args, layout::Layout};

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .init();
    let outcome = Layout::open(&args.data_dir)
        .map_err(|error| anyhow::anyhow!("cannot use {}: {error}", args.data_dir.display()))
        .and_then(|layout| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                match (&args.backup, &args.restore, &args.join) {
                    (Some(file), _, _) => backup::take(&layout, file).await,
                    (_, Some(file), _) => backup::restore(&layout, file).await,
                    _ if args.teardown => teardown::run(&args, &layout).await,
                    (_, _, Some(server)) => join::run(&args, &layout, server).await,
                    _ => run::run(&args, &layout).await,
                }
            })
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}
