//! Resident memory and CPU of the whole cluster's process, idle.
//!
//! Aim: under 60 MB after 60 s. The stock components take 614 MB.

use std::{thread::sleep, time::Duration};

use anyhow::Result;
use clap::Parser;
use k8s_benches::{
    cluster::Cluster,
    process,
    report::{Report, round},
};

/// Measures idle memory.
#[derive(Parser)]
struct Options {
    /// Seconds to idle before measuring
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// As the cluster's `--node`
    #[arg(long, default_value = "cri")]
    node: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let cluster = Cluster::start(&data, &["--node", &options.node])?;
    let idle = Duration::from_secs(options.seconds);
    let before = process::cpu(cluster.pid())?;
    sleep(idle);
    let used = process::cpu(cluster.pid())? - before;
    let mut report = Report::new("memory", &data);
    report
        .set("node", options.node)
        .set("idle_s", options.seconds);
    report.set("fsyncs", cluster.fsyncs().await?);
    report.set("rss_mib", round(process::rss_mib(cluster.pid())?));
    report
        .set(
            "cpu_percent",
            round(used.as_secs_f64() / idle.as_secs_f64() * 100.0),
        )
        .print();
    Ok(())
}
