//! Memory that the server takes for each pod that it holds.
//!
//! Aim: a fifth of what the stock server and etcd take, 23 KiB.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use hyper::Method;
use k8s_benches::{
    load::{self, PODS, Stage},
    report::Report,
};

/// Measures memory per object.
#[derive(Parser)]
struct Options {
    /// Pods to hold
    #[arg(long, default_value_t = 50_000)]
    pods: usize,
    /// Seconds to rest before measuring
    #[arg(long, default_value_t = 5)]
    rest: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let stage = Stage::open_for_pods().await?;
    // What the first requests take is taken once.
    load::make_pods(&stage, 16).await?;
    let mut client = stage.target.connect().await?;
    let size = client
        .call(Method::GET, &format!("{PODS}/pod-0"), "")
        .await?
        .len();
    client.call(Method::DELETE, PODS, "").await?;
    let before = stage.rss_mib()?;
    load::make_pods(&stage, options.pods).await?;
    tokio::time::sleep(Duration::from_secs(options.rest)).await;
    let after = stage.rss_mib()?;
    let mut report = Report::new("object-memory", &stage.data);
    report.set("pods", options.pods).set("json_bytes", size);
    report
        .set("before_mib", before.round())
        .set("after_mib", after.round());
    let each = (after - before) * f64::from(1 << 20) / options.pods as f64;
    report.set("bytes_each", each.round()).print();
    Ok(())
}
