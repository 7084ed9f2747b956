//! ConfigMaps of 1 KiB created by 16 clients over TLS, durable when acknowledged.
//!
//! Aim: a tenth of the stock server's and etcd's 2,900 us of CPU per create.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use hyper::Method;
use k8s_benches::{client::Target, cluster::Cluster, process, report::Report};
use serde_json::json;

/// Measures creates.
#[derive(Parser)]
struct Options {
    /// Objects to create
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Concurrent clients
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Bytes of each object's value
    #[arg(long, default_value_t = 1024)]
    size: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let directory = tempfile::tempdir_in(".")?;
    let data = directory.path().canonicalize()?.join("cluster");
    let cluster = Cluster::start(&data, &["--node", "none"])?;
    let target = Target::from_kubeconfig(&cluster.kubeconfig())?;

    let cpu = process::cpu(cluster.pid())?;
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..options.clients {
        let target = target.clone();
        let share = options.count / options.clients;
        let value = "x".repeat(options.size);
        clients.spawn(async move {
            let mut client = target.connect().await?;
            let mut latencies = Vec::with_capacity(share);
            for index in 0..share {
                let object = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": { "name": format!("bench-{number}-{index}") },
                    "data": { "value": value },
                });
                let body = serde_json::to_vec(&object)?;
                let sent = Instant::now();
                client
                    .call(Method::POST, "/api/v1/namespaces/default/configmaps", body)
                    .await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies: Vec<Duration> = Vec::with_capacity(options.count);
    while let Some(client) = clients.join_next().await {
        latencies.extend(client??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    let used = process::cpu(cluster.pid())? - cpu;

    let done = latencies.len();
    let mut report = Report::new("create", &data);
    report
        .set("clients", options.clients)
        .set("count", done)
        .set("value_bytes", options.size);
    report.set("per_s", (done as f64 / elapsed).round());
    report.set(
        "cpu_us_each",
        (used.as_secs_f64() * 1e6 / done as f64).round(),
    );
    report.set("rss_mib", process::rss_mib(cluster.pid())?.round());
    report.set("fsyncs", cluster.fsyncs().await?);
    report.latencies(latencies).print();
    Ok(())
}
