//! LIST of 5,000 pods over TLS, as JSON or in the form that `--accept` names.
//!
//! The stock server takes 186 ms and 230 ms of CPU from its cache, 362 ms and 430 ms from etcd.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use http_body_util::BodyExt;
use hyper::{Method, header};
use k8s_benches::{
    load::{self, Stage, micros_each},
    report::Report,
};

/// Measures lists.
#[derive(Parser)]
struct Options {
    /// Pods to list
    #[arg(long, default_value_t = 5_000)]
    pods: usize,
    /// Lists to measure
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Media types that the client takes
    #[arg(long, default_value = "application/json")]
    accept: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let stage = Stage::open_for_pods().await?;
    load::make_pods(&stage, options.pods).await?;
    let mut client = stage.target.connect().await?;
    client.accept = options.accept;
    let (cpu, started) = (stage.cpu()?, Instant::now());
    let mut latencies = Vec::with_capacity(options.runs);
    let (mut size, mut content_type) = (0, String::new());
    for _ in 0..options.runs {
        let sent = Instant::now();
        let answer = client.request(Method::GET, "/api/v1/pods", "").await?;
        if !answer.status().is_success() {
            bail!("{}", answer.status());
        }
        let found = answer.headers().get(header::CONTENT_TYPE);
        content_type = found.map_or(Ok(""), |found| found.to_str())?.to_owned();
        size = answer.into_body().collect().await?.to_bytes().len();
        latencies.push(sent.elapsed());
    }
    let elapsed = started.elapsed().as_secs_f64();
    let used = stage.cpu()? - cpu;
    let mut report = Report::new("list", &stage.data);
    report
        .set("pods", options.pods)
        .set("content_type", content_type)
        .set("bytes", size)
        .set("per_s", (options.runs as f64 / elapsed).round());
    report.set("cpu_us_each", micros_each(used, options.runs));
    report.set("fsyncs", stage.cluster.fsyncs().await?);
    report.set("rss_mib", stage.rss_mib()?.round());
    report.latencies(latencies).print();
    Ok(())
}
