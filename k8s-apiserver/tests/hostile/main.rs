//! What clients do that mean no good, or are broken: each is refused with a status that says so, or
//! cut off, and takes no more memory than a few of its requests are long.

mod object;
mod wire;

use std::{fs, sync::Arc};

use k8s_apiserver::ApiServer;
use k8s_store::memory::MemoryStore;

/// More than any of the tests may make the whole process take, in KiB.
const MEMORY: u64 = 1 << 20;

async fn server() -> ApiServer {
    let builder = ApiServer::builder(Arc::new(MemoryStore::new()));
    builder.without_service_accounts().build().await.unwrap()
}

/// Fails once the process has ever taken more memory than it may.
#[track_caller]
fn check_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let peak: u64 = peak.unwrap().parse().unwrap();
    assert!(peak < MEMORY, "{peak} KiB at the most");
}
