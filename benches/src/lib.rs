//! What the benchmarks share: the cluster's process, a client that costs little, and the report.
//!
//! Each program in `src/bin` measures one thing against `target/release/cluster`, as a user would
//! start it, and prints one line of JSON. `cargo xtask bench NAME` builds and runs it.

#![allow(missing_docs, reason = "read by its programs only")]

pub mod client;
pub mod cluster;
pub mod etcd;
pub mod load;
pub mod process;
pub mod report;
