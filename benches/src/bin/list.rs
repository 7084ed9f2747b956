//! LIST of 5,000 pods as JSON over TLS.
//!
//! The stock server takes 186 ms and 230 ms of CPU from its cache, 362 ms and 430 ms from etcd.

use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use hyper::Method;
use k8s_benches::{client::Target, cluster::Cluster, process, report::Report};
use serde_json::json;

/// Measures lists.
#[derive(Parser)]
struct Options {
    /// Pods to list
    #[arg(long, default_value_t = 5_000)]
    pods: usize,
    /// Lists to measure
    #[arg(long, default_value_t = 50)]
    runs: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let directory = tempfile::tempdir_in(".")?;
    let data = directory.path().canonicalize()?.join("cluster");
    let cluster = Cluster::start(
        &data,
        &["--node", "none", "--without", "scheduler,controllers"],
    )?;
    let mut client = Target::from_kubeconfig(&cluster.kubeconfig())?
        .connect()
        .await?;
    // Pods need it, and no controller is there to make it.
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    client
        .call(Method::POST, accounts, serde_json::to_vec(&account)?)
        .await?;
    for index in 0..options.pods {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": format!("pod-{index}"), "labels": { "app": "bench" } },
            "spec": { "containers": [{
                "name": "main",
                "image": "localhost/kuard:blue",
                "env": [{ "name": "GREETING", "value": "hello" }],
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
            }] },
        });
        client
            .call(
                Method::POST,
                "/api/v1/namespaces/default/pods",
                serde_json::to_vec(&pod)?,
            )
            .await?;
    }
    let cpu = process::cpu(cluster.pid())?;
    let started = Instant::now();
    let mut latencies = Vec::with_capacity(options.runs);
    let mut size = 0;
    for _ in 0..options.runs {
        let sent = Instant::now();
        size = client.call(Method::GET, "/api/v1/pods", "").await?.len();
        latencies.push(sent.elapsed());
    }
    let elapsed = started.elapsed().as_secs_f64();
    let used = process::cpu(cluster.pid())? - cpu;
    let runs = options.runs as f64;
    let mut report = Report::new("list", &data);
    report
        .set("pods", options.pods)
        .set("bytes", size)
        .set("per_s", (runs / elapsed).round());
    report.set("cpu_us_each", (used.as_secs_f64() * 1e6 / runs).round());
    report.set("fsyncs", cluster.fsyncs().await?);
    report.set("rss_mib", process::rss_mib(cluster.pid())?.round());
    report.latencies(latencies).print();
    Ok(())
}
