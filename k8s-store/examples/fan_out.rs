//! The watch cache under load, as one line of JSON: lists of many objects while others write, and
//! events handed to many watchers.
//! `cargo run --release -p k8s-store --example fan_out -- [OBJECTS] [WATCHERS]`

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::StreamExt;
use k8s_store::{
    KeyValue, Op, Revision, Txn,
    cache::{CacheOptions, Codec, CodecError, WatchCache, WatchRequest, Watcher},
    memory::MemoryStore,
};
use tokio_util::sync::CancellationToken;

/// Values as they are.
struct Raw;

impl Codec for Raw {
    type Entry = Bytes;

    fn entry(&self, kv: &KeyValue) -> Result<Bytes, CodecError> {
        Ok(kv.value.clone())
    }
}

const EVENTS: usize = 2_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let objects: usize = args.next().map_or(Ok(50_000), |count| count.parse())?;
    let watchers: usize = args.next().map_or(Ok(1_000), |count| count.parse())?;

    let empty = resident_mib();
    let (options, cancel) = (CacheOptions::default(), CancellationToken::new());
    let store = Arc::new(MemoryStore::new());
    let cache = WatchCache::start(store, Raw, Bytes::from("/"), options, cancel).await?;
    for number in 0..objects {
        write(&cache, number).await?;
    }
    let each = (resident_mib() - empty) * 1024.0 / objects as f64;

    let stop = Arc::new(AtomicBool::new(false));
    let listing = Arc::clone(&stop);
    let lister = cache.clone();
    let lists = std::thread::spawn(move || {
        let mut times = Vec::new();
        while !listing.load(Relaxed) {
            let begun = Instant::now();
            let (found, ..) = lister.list(b"/", None, None, &|_| true);
            times.push(begun.elapsed());
            assert_eq!(found.len(), objects);
        }
        times
    });
    let mut writes = Vec::new();
    for number in 0..EVENTS {
        let begun = Instant::now();
        write(&cache, number % objects).await?;
        writes.push(begun.elapsed());
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    stop.store(true, Relaxed);
    let lists = lists.join().expect("a lister");

    let from = cache.revision();
    let mut tasks = Vec::new();
    for _ in 0..watchers {
        tasks.push(tokio::spawn(take(
            cache.watch(WatchRequest::new("/", from))?,
        )));
    }
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    for number in 0..EVENTS {
        write(&cache, number % objects).await?;
    }
    for task in tasks {
        task.await?;
    }
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let delivered = (EVENTS * watchers) as f64;
    println!(
        "{{\"bench\":\"store-cache\",\"objects\":{objects},\"value_bytes\":1024,\
         \"memory_kib_each\":{each:.2},\"list_p50_ms\":{:.2},\"write_during_lists_p50_us\":{},\
         \"write_during_lists_p99_us\":{},\"watchers\":{watchers},\"events_per_s\":{:.0},\
         \"cpu_us_each\":{:.3}}}",
        quantile(lists, 0.5).as_secs_f64() * 1e3,
        quantile(writes.clone(), 0.5).as_micros(),
        quantile(writes, 0.99).as_micros(),
        delivered / elapsed,
        cpu * 1e6 / delivered,
    );
    Ok(())
}

async fn write(cache: &WatchCache<Raw>, number: usize) -> Result<(), k8s_store::StoreError> {
    let key = Bytes::from(format!("/registry/pods/default/pod-{number:07}"));
    let ops = vec![Op::Put {
        key,
        value: Bytes::from(vec![b'x'; 1024]),
    }];
    cache
        .commit(Txn {
            ops,
            ..Txn::default()
        })
        .await
        .map(drop)
}

/// Takes all events and checks their order.
async fn take(watcher: Watcher<Raw>) {
    let mut events = watcher.take(EVENTS);
    let mut last = Revision::ZERO;
    while let Some(event) = events.next().await {
        let revision = event.expect("a watcher that keeps up").revision();
        assert!(revision > last);
        last = revision;
    }
}

fn quantile(mut times: Vec<Duration>, q: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * q) as usize]
}

/// User and system time of this process, from `/proc`.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

/// Memory of this process, from `/proc`.
fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
