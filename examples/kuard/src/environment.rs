//! What the process sees of itself: the part of the page that a pod's author looks for first.

use std::collections::BTreeMap;

use serde::Serialize;

/// A snapshot of the process' surroundings.
#[derive(Serialize)]
pub(crate) struct Environment {
    pub(crate) hostname: String,
    pub(crate) colour: String,
    pub(crate) version: &'static str,
    pub(crate) addresses: Vec<String>,
    #[serde(rename = "commandLine")]
    pub(crate) command_line: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

/// The image's colour: what tells two versions apart in a rolling update.
pub(crate) fn colour() -> String {
    std::env::var("KUARD_COLOUR").unwrap_or_else(|_| "grey".into())
}

pub(crate) fn observe() -> Environment {
    Environment {
        hostname: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        colour: colour(),
        version: env!("CARGO_PKG_VERSION"),
        addresses: addresses(),
        command_line: std::env::args().collect(),
        env: std::env::vars().collect(),
    }
}

/// Local IPv4 addresses, out of the kernel's routing trie: no privilege and no library needed.
fn addresses() -> Vec<String> {
    let trie = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    let mut last = "";
    for line in trie.lines() {
        if let Some((_, address)) = line.split_once("|-- ") {
            last = address;
        } else if line.contains("/32 host LOCAL") && !last.starts_with("127.") {
            found.push(last.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}
