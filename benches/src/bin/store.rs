//! The embedded store, and etcd beside it: durable writes, ranges, fan-out, and a million objects.
//!
//! Aims: at least 5 times etcd's writes at 64 writers and never behind it at 1; under 2 KiB of memory
//! per object of 1 KiB; a million objects open in seconds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Parser;
use futures::StreamExt;
use k8s_benches::{
    etcd::Etcd,
    process,
    report::{Report, round},
};
use k8s_store::{
    KeyValue, Op, Range, Revision, Store, Txn,
    cache::{CacheOptions, Codec, CodecError, WatchCache, WatchRequest, Watcher},
    embedded::EmbeddedStore,
    memory::MemoryStore,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Measures the store.
#[derive(Parser)]
struct Options {
    /// Concurrent writers, one run each
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,1000")]
    writers: Vec<usize>,
    /// Seconds per run
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Objects to open with
    #[arg(long, default_value_t = 1_000_000)]
    objects: usize,
    /// Watchers to fan out to
    #[arg(long, default_value_t = 1_000)]
    watchers: usize,
    /// Where to write [default: a directory here]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Leave etcd out
    #[arg(long)]
    without_etcd: bool,
}

const VALUE: usize = 1_024;

#[tokio::main]
async fn main() -> Result<()> {
    if let Some(data) = std::env::var_os(OPEN) {
        return open(Path::new(&data)).await;
    }
    let options = Options::parse();
    let parent = options.directory.clone().unwrap_or_else(|| ".".into());
    let directory = tempfile::tempdir_in(parent)?;
    let data = directory.path().canonicalize()?;
    // One right after the other, so that a busy machine is busy for both.
    for &writers in &options.writers {
        embedded(&data.join("embedded"), writers, &options).await?;
        if !options.without_etcd {
            etcd(&data.join("etcd"), writers, &options).await?;
        }
    }
    range(&data).await?;
    for stuck in [0, options.watchers / 10] {
        fan_out(&data, options.watchers, stuck).await?;
    }
    million(&data.join("million"), options.objects).await
}

/// Durable writes of new keys.
async fn embedded(data: &Path, writers: usize, options: &Options) -> Result<()> {
    let store = Arc::new(EmbeddedStore::open(data).await?);
    let used = process::cpu(std::process::id())?;
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                store.commit(put(writer, latencies.len())).await?;
                latencies.push(begun.elapsed());
            }
            Ok(latencies)
        });
    }
    let latencies = all(tasks).await?;
    let used = process::cpu(std::process::id())? - used;
    let (stats, count) = (store.stats(), latencies.len() as f64);
    let mut report = Report::new("store-writes", data);
    report.set("engine", "embedded").set("writers", writers);
    report.set("per_s", (count / options.seconds as f64).round());
    report.latencies(latencies).set("fsyncs", stats.fsyncs);
    report.set("cpu_us_each", round(used.as_secs_f64() * 1e6 / count));
    let written = stats.bytes_written as f64 / (count * VALUE as f64);
    report.set("write_amplification", round(written)).print();
    drop(store);
    Ok(std::fs::remove_dir_all(data)?)
}

/// The same through etcd's own interface, on the same file system.
async fn etcd(data: &Path, writers: usize, options: &Options) -> Result<()> {
    let etcd = Etcd::start(data).await?;
    let (used, fsyncs, written) = (
        process::cpu(etcd.pid())?,
        etcd.fsyncs().await?,
        etcd.written()?,
    );
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let mut client = etcd.connect().await?;
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                client
                    .put(&key(writer, latencies.len()), &[b'x'; VALUE])
                    .await?;
                latencies.push(begun.elapsed());
            }
            Ok(latencies)
        });
    }
    let latencies = all(tasks).await?;
    let used = process::cpu(etcd.pid())? - used;
    let count = latencies.len() as f64;
    let mut report = Report::new("store-writes", data);
    report
        .set("engine", "etcd")
        .set("version", etcd.version().await?);
    report.set("writers", writers);
    report.set("per_s", (count / options.seconds as f64).round());
    report.latencies(latencies);
    report.set("fsyncs", etcd.fsyncs().await? - fsyncs);
    report.set("cpu_us_each", round(used.as_secs_f64() * 1e6 / count));
    let written = (etcd.written()? - written) as f64 / (count * VALUE as f64);
    report.set("write_amplification", round(written)).print();
    drop(etcd);
    Ok(std::fs::remove_dir_all(data)?)
}

/// Ranges of 10,000 keys.
async fn range(data: &Path) -> Result<()> {
    let store = EmbeddedStore::open(data.join("range")).await?;
    fill(&store, 20_000).await?;
    let mut latencies = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let limit = Some(10_000);
        let page = store
            .range(Range {
                limit,
                ..Range::default()
            })
            .await?;
        latencies.push(begun.elapsed());
        if page.items.len() != 10_000 {
            bail!("{} keys", page.items.len());
        }
    }
    let mut report = Report::new("store-range", data);
    report.set("keys", 10_000).latencies(latencies).print();
    Ok(())
}

/// Values as they are.
struct Raw;

impl Codec for Raw {
    type Entry = Bytes;

    fn entry(&self, kv: &KeyValue) -> Result<Bytes, CodecError> {
        Ok(kv.value.clone())
    }
}

/// One writer, many watchers of everything, some of which never read.
async fn fan_out(data: &Path, watchers: usize, stuck: usize) -> Result<()> {
    const EVENTS: usize = 2_000;
    let (store, options) = (Arc::new(MemoryStore::new()), CacheOptions::default());
    let cancel = CancellationToken::new();
    let cache = WatchCache::start(store, Raw, Bytes::from("/"), options, cancel).await?;
    let watch = || cache.watch(WatchRequest::new("/", Revision::ZERO));
    let idle = (0..stuck).map(|_| watch()).collect::<Result<Vec<_>, _>>()?;
    let mut tasks = JoinSet::new();
    for _ in 0..watchers {
        tasks.spawn(take(watch()?, EVENTS));
    }
    let (begun, used) = (Instant::now(), process::cpu(std::process::id())?);
    let mut latencies = Vec::new();
    for number in 0..EVENTS {
        let sent = Instant::now();
        cache.commit(put(0, number % 500)).await?;
        latencies.push(sent.elapsed());
    }
    while let Some(taken) = tasks.join_next().await {
        taken??;
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let used = process::cpu(std::process::id())? - used;
    let delivered = (EVENTS * watchers) as f64;
    let mut report = Report::new("store-fan-out", data);
    report.set("watchers", watchers).set("stuck", idle.len());
    report.set("events_per_s", (delivered / elapsed).round());
    report.set("cpu_us_each", round(used.as_secs_f64() * 1e6 / delivered));
    report.set("rss_mib", process::rss_mib(std::process::id())?.round());
    report.latencies(latencies).print();
    Ok(())
}

async fn take(watcher: Watcher<Raw>, events: usize) -> Result<()> {
    let mut events = watcher.take(events);
    let mut last = Revision::ZERO;
    while let Some(event) = events.next().await {
        let revision = event?.revision();
        if revision <= last {
            bail!("{revision} after {last}");
        }
        last = revision;
    }
    Ok(())
}

/// Opening, in this process, since memory that was given back is not counted against it.
async fn million(data: &Path, objects: usize) -> Result<()> {
    let store = EmbeddedStore::open(data).await?;
    fill(&store, objects).await?;
    let disk = store.stats().disk_bytes;
    store.close().await;
    let child = std::env::args().next().context("a program")?;
    let opened = std::process::Command::new(child).env(OPEN, data).output()?;
    print!("{}", String::from_utf8_lossy(&opened.stdout));
    if !opened.status.success() || disk == 0 {
        bail!("cannot open: {}", String::from_utf8_lossy(&opened.stderr));
    }
    Ok(())
}

async fn open(data: &Path) -> Result<()> {
    let (before, begun) = (process::rss_mib(std::process::id())?, Instant::now());
    let store = EmbeddedStore::open(data).await?;
    let elapsed = begun.elapsed();
    let used = process::rss_mib(std::process::id())? - before;
    let objects = store.range(Range::default()).await?.items.len();
    let mut report = Report::new("store-open", data);
    report
        .set("objects", objects)
        .set("open_s", round(elapsed.as_secs_f64()));
    report.set("rss_mib", used.round());
    report.set("memory_kib_each", round(used * 1024.0 / objects as f64));
    report
        .set("disk_mib", store.stats().disk_bytes >> 20)
        .print();
    Ok(())
}

const OPEN: &str = "STORE_BENCH_OPEN";

/// Puts so many keys, a thousand at a time.
async fn fill(store: &EmbeddedStore, objects: usize) -> Result<()> {
    for start in (0..objects).step_by(1_000) {
        let each = (start..objects.min(start + 1_000)).map(|number| store.commit(put(0, number)));
        for outcome in futures::future::join_all(each).await {
            outcome?;
        }
    }
    Ok(())
}

fn key(writer: usize, number: usize) -> String {
    format!("/registry/configmaps/default/{writer:04}-{number:08}")
}

fn put(writer: usize, number: usize) -> Txn {
    let key = Bytes::from(key(writer, number));
    let value = Bytes::from(vec![b'x'; VALUE]);
    Txn {
        ops: vec![Op::Put { key, value }],
        ..Txn::default()
    }
}

async fn all(mut tasks: JoinSet<Result<Vec<Duration>>>) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    Ok(latencies)
}
