//! Durable writes per second, as one line of JSON:
//! `cargo run --release -p k8s-store --example throughput -- [DIRECTORY] [WRITERS] [SECONDS]`

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use k8s_store::{Op, Store, Txn, embedded::EmbeddedStore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let parent = args.next().map_or_else(|| "target".into(), PathBuf::from);
    let writers: usize = args.next().map_or(Ok(64), |count| count.parse())?;
    let seconds: u64 = args.next().map_or(Ok(5), |count| count.parse())?;

    let dir = parent.join(format!("throughput-{}", std::process::id()));
    let store = Arc::new(EmbeddedStore::open(&dir).await?);
    let start = Instant::now();
    let cpu = cpu_seconds();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| tokio::spawn(write(Arc::clone(&store), writer, start, seconds)))
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await?);
    }
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    latencies.sort();
    let count = latencies.len();
    let quantile = |q: f64| latencies[((count - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    let stats = store.stats();
    println!(
        "{{\"bench\":\"store-writes\",\"writers\":{writers},\"value_bytes\":1024,\"count\":{count},\
         \"per_s\":{:.0},\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"cpu_us_each\":{:.1},\"fsyncs\":{},\
         \"bytes_written_each\":{:.0},\"rss_mib\":{:.0}}}",
        count as f64 / elapsed,
        quantile(0.5),
        quantile(0.99),
        cpu * 1e6 / count as f64,
        stats.fsyncs,
        stats.bytes_written as f64 / count as f64,
        resident_mib(),
    );
    drop(store);
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// Writes new keys of 1 KiB until time is up.
async fn write(
    store: Arc<EmbeddedStore>,
    writer: usize,
    start: Instant,
    seconds: u64,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while start.elapsed().as_secs() < seconds {
        let key = format!(
            "/registry/configmaps/default/{writer:04}-{:08}",
            latencies.len()
        );
        let ops = vec![Op::Put {
            key: Bytes::from(key),
            value: Bytes::from(vec![b'x'; 1024]),
        }];
        let begun = Instant::now();
        store
            .commit(Txn {
                ops,
                ..Txn::default()
            })
            .await
            .expect("a durable write");
        latencies.push(begun.elapsed());
    }
    latencies
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
