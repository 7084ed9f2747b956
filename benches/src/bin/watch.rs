//! 1,000 ConfigMaps written while 100 watchers, or 1,000, follow them over TLS.
//!
//! The stock server takes 117 us of CPU per delivered event, writes included. Aim: a twentieth.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use http_body_util::BodyExt;
use hyper::{Method, body::Incoming};
use k8s_benches::{
    client::Client,
    load::{CONFIG_MAPS, Load, Stage, Turn, micros_each},
    process,
    report::Report,
};
use serde_json::Value;
use tokio::task::JoinSet;

/// Watchers that look at what they get; the others count, to leave the cores to the server.
const LOOKING: usize = 16;

/// Measures watches.
#[derive(Parser)]
struct Options {
    /// Watchers
    #[arg(long, default_value_t = 100)]
    watchers: usize,
    /// Objects to write
    #[arg(long, default_value_t = 1_000)]
    count: usize,
    /// Concurrent writers
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Bytes of each object's value
    #[arg(long, default_value_t = 256)]
    size: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    process::allow_files()?;
    let stage = Stage::open(&[])?;
    let load = Load {
        count: options.count / options.clients * options.clients,
        clients: options.clients,
        size: options.size,
    };
    // What the writes take by themselves.
    let alone = load
        .run(&stage, async |client, turn| {
            write(&load, client, "alone", turn).await
        })
        .await?;

    let mut client = stage.target.connect().await?;
    let list = client
        .call(Method::GET, &format!("{CONFIG_MAPS}?limit=1"), "")
        .await?;
    let list: Value = serde_json::from_slice(&list)?;
    let version = list["metadata"]["resourceVersion"]
        .as_str()
        .context("a version")?;
    let path = format!("{CONFIG_MAPS}?watch=1&resourceVersion={version}");
    let mut watchers = JoinSet::new();
    for number in 0..options.watchers {
        let mut client = stage.target.connect().await?;
        let answer = client.request(Method::GET, &path, "").await?;
        if !answer.status().is_success() {
            bail!("a watch: {}", answer.status());
        }
        let (body, count) = (answer.into_body(), load.count);
        watchers.spawn(async move {
            // The connection lives as long as its client.
            let _client = client;
            follow(body, count, number < LOOKING).await
        });
    }
    let sent = std::cell::RefCell::new(HashMap::new());
    let before = stage.cpu()?;
    let started = Instant::now();
    load.run(&stage, async |client, turn| {
        sent.borrow_mut().insert(name("seen", turn), Instant::now());
        write(&load, client, "seen", turn).await
    })
    .await?;
    let mut latencies = Vec::new();
    while let Some(seen) = watchers.join_next().await {
        for (name, at) in seen?? {
            let sent = sent.borrow().get(&name).copied();
            latencies.push(at - sent.with_context(|| format!("{name} was never written"))?);
        }
    }
    let elapsed = started.elapsed();
    let used = stage.cpu()? - before;
    let delivered = load.count * options.watchers;
    let mut report = Report::new("watch", &stage.data);
    report
        .set("watchers", options.watchers)
        .set("count", load.count)
        .set("value_bytes", options.size)
        .set("delivered", delivered);
    report.set(
        "events_per_s",
        (delivered as f64 / elapsed.as_secs_f64()).round(),
    );
    report.set("cpu_us_per_event", micros_each(used, delivered));
    let beside = used.saturating_sub(alone.cpu);
    report.set(
        "cpu_us_per_event_without_writes",
        micros_each(beside, delivered),
    );
    report.set("rss_mib", stage.rss_mib()?.round());
    report.latencies(latencies).print();
    Ok(())
}

fn name(phase: &str, turn: Turn) -> String {
    format!("{phase}-{}-{}", turn.client, turn.index)
}

async fn write(load: &Load, client: &mut Client, phase: &str, turn: Turn) -> Result<()> {
    let object = load.config_map(&name(phase, turn), turn);
    client
        .call(Method::POST, CONFIG_MAPS, object.to_string())
        .await
        .map(drop)
}

/// Reads so many events; tells when which object came, if it looks.
async fn follow(
    mut body: Incoming,
    count: usize,
    is_looking: bool,
) -> Result<Vec<(String, Instant)>> {
    let (mut seen, mut found, mut line) = (0, Vec::new(), Vec::new());
    while seen < count {
        let frame = tokio::time::timeout(Duration::from_secs(60), body.frame()).await?;
        let frame = frame.context("the watch ended early")??;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        seen += data.iter().filter(|byte| **byte == b'\n').count();
        if !is_looking {
            continue;
        }
        let at = Instant::now();
        line.extend_from_slice(data);
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let event: Value = serde_json::from_slice(&line[..end])?;
            line.drain(..=end);
            let name = event["object"]["metadata"]["name"].as_str();
            found.push((name.context("an event names its object")?.to_owned(), at));
        }
    }
    Ok(found)
}
