//! From the start of the process to `ready`: with containerd up and objects to resume, and hollow.
//!
//! Aim: under 1 s with containerd up, 0.3 s hollow. The stock components take 4.9 s.

use anyhow::Result;
use clap::Parser;
use k8s_benches::{cluster::Cluster, report::Report};

/// Measures startup.
#[derive(Parser)]
struct Options {
    /// Starts to measure
    #[arg(long, default_value_t = 10)]
    runs: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    for node in ["cri", "hollow"] {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("cluster");
        let flags = ["--node", node];
        // The first start makes keys and brings containerd up, which outlives it.
        let mut cluster = Cluster::start(&data, &flags)?;
        let first = cluster.startup;
        let mut startups = Vec::new();
        for _ in 0..options.runs {
            cluster.stop()?;
            let next = Cluster::start(&data, &flags)?;
            startups.push(next.startup);
            // The stopped one is only a name by now: forgetting it keeps containerd up.
            std::mem::forget(std::mem::replace(&mut cluster, next));
        }
        let mut report = Report::new("startup", &data);
        report.set("node", node).set("runs", options.runs);
        report.set("fsyncs", cluster.fsyncs().await?);
        report
            .set("first_ms", first.as_millis() as u64)
            .latencies(startups)
            .print();
    }
    Ok(())
}
