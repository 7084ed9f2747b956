//! The scenarios, each a story of its own on a fresh data directory.

mod bad_input;
mod clients;
mod failure;
mod hollow;
mod identity;
mod kinds;
mod node;
mod node_faults;
mod page;
mod pod;
mod shared_store;
mod storage;
mod stream;
mod tour;
mod two_nodes;
mod volumes;

use anyhow::Result;

/// A scenario's name and its story.
type Scenario = (&'static str, fn() -> Result<()>);

/// All of them, in order.
pub(crate) const ALL: &[Scenario] = &[
    ("hollow", hollow::run),
    ("bad-input", bad_input::run),
    ("identity", identity::run),
    ("kinds", kinds::run),
    ("kubectl", page::run_kubectl),
    ("policy", page::run_policy),
    ("failure", failure::run),
    ("tour", tour::run),
    ("tour-with-kill", tour::run_with_kill),
    ("pod", pod::run),
    ("node", node::run),
    ("shared-store", shared_store::run),
    ("storage", storage::run),
    ("stream", stream::run),
    ("clients", clients::run),
    ("two-nodes", two_nodes::run),
    ("node-faults", node_faults::run),
    ("volumes", volumes::run),
];
