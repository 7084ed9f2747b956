//! A storage driver for the end-to-end lane: volumes are plain directories, shown by bind mounts, or files behind loop
//! devices. It keeps them, and a line of JSON for each call, in a directory of its own.

mod node;
mod registration;
mod serve;
mod volume;

/// The interface's messages and services, generated.
mod api {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("csi.v1");

    pub(crate) mod registration {
        tonic::include_proto!("pluginregistration");
    }
}

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// What the driver is started with.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// The driver's name.
    #[arg(long)]
    name: String,
    /// The node agent's root directory.
    #[arg(long)]
    kubelet: PathBuf,
    /// Where volumes and the calls' log are kept.
    #[arg(long)]
    data: PathBuf,
    /// How many volumes the node takes.
    #[arg(long, default_value_t = 0)]
    max_volumes: i64,
    /// Gives files to the pod's group by itself.
    #[arg(long)]
    mount_group: bool,
    /// Publishes volumes without staging them first.
    #[arg(long)]
    no_stage: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.data)?;
    let own = args.kubelet.join("plugins").join(&args.name);
    std::fs::create_dir_all(&own)?;
    let registry = args.kubelet.join("plugins_registry");
    std::fs::create_dir_all(&registry)?;
    let (socket, announced) = (
        own.join("csi.sock"),
        registry.join(format!("{}-reg.sock", args.name)),
    );
    let node = Arc::new(node::Node::new(args.clone()));
    let driver = serve::listen(&socket)?;
    // Known only once it answers.
    let registration = serve::listen(&announced)?;
    let about = registration::Registration::new(&args.name, &socket);
    let mut end = signal(SignalKind::terminate()).context("signals can be had")?;
    tokio::select! {
        result = serve::driver(driver, node) => result,
        result = serve::registration(registration, about) => result,
        _ = end.recv() => {
            std::fs::remove_file(&announced)?;
            Ok(())
        }
    }
}
