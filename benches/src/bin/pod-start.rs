//! From a pod's binding to its Running status, through containerd; one pod after another.
//!
//! The runtime's own floor on the reference machine is 207 ms at the median.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use http_body_util::BodyExt;
use hyper::Method;
use k8s_benches::{client::Target, cluster::Cluster, process, report::Report};
use serde_json::{Value, json};

/// Measures pod starts.
#[derive(Parser)]
struct Options {
    /// Pods to start
    #[arg(long, default_value_t = 20)]
    count: usize,
    /// As the cluster's `--node`
    #[arg(long, default_value = "cri")]
    node: String,
}

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let directory = tempfile::tempdir_in(".")?;
    let data = directory.path().canonicalize()?.join("cluster");
    let cluster = Cluster::start(&data, &["--node", &options.node])?;
    let target = Target::from_kubeconfig(&cluster.kubeconfig())?;
    let mut watcher = target.connect().await?;
    let mut client = target.connect().await?;
    let path = format!("{PODS}?watch=true");
    let watch = watcher.request(Method::GET, &path, "").await?;
    let mut events = watch.into_body();

    let cpu = process::cpu(cluster.pid())?;
    let mut latencies: Vec<Duration> = Vec::new();
    let mut pending = Vec::new();
    for index in 0..options.count {
        let name = format!("pod-{index}");
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name },
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{ "name": "main", "image": "localhost/kuard:blue" }],
            },
        });
        client
            .call(Method::POST, PODS, serde_json::to_vec(&pod)?)
            .await?;
        let mut bound = None;
        loop {
            let event = next(&mut events, &mut pending).await?;
            let object = &event["object"];
            if object["metadata"]["name"] != *name {
                continue;
            }
            if bound.is_none() && object["spec"]["nodeName"].is_string() {
                bound = Some(Instant::now());
            }
            if object["status"]["phase"] == "Running" {
                latencies.push(bound.context("bound before it ran")?.elapsed());
                break;
            }
        }
        client
            .call(Method::DELETE, &format!("{PODS}/{name}"), "")
            .await?;
    }
    let used = process::cpu(cluster.pid())? - cpu;
    let mut report = Report::new("pod-start", &data);
    report.set("node", options.node).set("count", options.count);
    report.set(
        "cpu_us_each",
        (used.as_secs_f64() * 1e6 / options.count as f64).round(),
    );
    report.set("fsyncs", cluster.fsyncs().await?);
    report.set("rss_mib", process::rss_mib(cluster.pid())?.round());
    report.latencies(latencies).print();
    Ok(())
}

/// The next event of a watch: one line of JSON, however the body is cut into frames.
async fn next(events: &mut hyper::body::Incoming, pending: &mut Vec<u8>) -> Result<Value> {
    loop {
        if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            return Ok(serde_json::from_slice(&line)?);
        }
        let frame = events.frame().await.context("the watch ended")??;
        if let Some(data) = frame.data_ref() {
            pending.extend_from_slice(data);
        }
    }
}
