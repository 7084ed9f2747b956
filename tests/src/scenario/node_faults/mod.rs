//! A node whose parts are killed at random: agent, container runtime, shims, containers, and the API under it.
//!
//! After each fault everything runs again, nothing that was healthy was restarted, and what the API says is what the
//! runtime has; in the end nothing is left. `cargo xtask node-faults --minutes N` goes on for that long; a short run is
//! part of the lane.

mod fault;
mod truth;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use k8s_store::testing::Dice;

use self::{fault::Fault, truth::Observed};
use crate::{cluster::Cluster, leftovers::Footprint, node::Node, shell::eventually};

const TOKEN: &str = "faulty.0123456789abcdef";
/// How long all may take to be well again.
const PATIENCE: Duration = Duration::from_secs(120);
/// Faults of the short run.
const FEW: usize = 8;

pub(crate) fn run() -> Result<()> {
    let seconds = number("FAULT_SECONDS")?;
    let seed = number("FAULT_SEED")?.unwrap_or(1);
    let (started, mut dice) = (Instant::now(), Dice::new(seed));
    let before = Footprint::observe()?;
    let directory = tempfile::tempdir()?;
    // The control plane is a process of its own, so that it can fail alone.
    let options = ["--node", "none", "--token", TOKEN];
    let plane = Cluster::start(&directory.path().join("cluster"), &options)?;
    let data = directory.path().join("node");
    let address =
        plane.sh("kubectl get endpoints kubernetes -o jsonpath={.subsets[0].addresses[0].ip}")?;
    let node = Node::new("node-1", &data, &format!("https://{address}:6443"));
    let mut world = World { plane, node, data };
    world.node.join(Some(TOKEN))?;
    world
        .plane
        .sh("kubectl apply -f tests/testdata/faults.yaml")?;
    let mut known = world.settled(&BTreeMap::new(), None)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let goes_on = |done: usize| match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => done < FEW,
    };
    while goes_on(counts.values().sum()) {
        let fault = Fault::draw(&mut dice, &known);
        *counts.entry(fault.name()).or_default() += 1;
        fault.strike(&mut world, seconds.is_some())?;
        known = world
            .settled(&known, Some(&fault))
            .with_context(|| format!("seed {seed}, after {counts:?}, the last {fault:?}"))?;
    }
    println!("  seed {seed}: {counts:?}, and all was well after each");
    world
        .plane
        .sh("kubectl delete -f tests/testdata/faults.yaml --wait=false")?;
    eventually("nothing runs", PATIENCE, || world.is_empty())?;
    world.node.teardown()?;
    world.plane.teardown()?;
    before.check_nothing_new("by a node that was hurt")
}

/// A setting of the long run.
fn number(name: &str) -> Result<Option<u64>> {
    let text = std::env::var(name).ok();
    text.map(|text| text.parse().with_context(|| name.to_owned()))
        .transpose()
}

/// The control plane, and the node with its data directory.
struct World {
    plane: Cluster,
    node: Node,
    data: std::path::PathBuf,
}

impl World {
    /// Waits until all is well, and nothing but what the fault hit has changed.
    fn settled(&self, known: &Observed, fault: Option<&Fault>) -> Result<Observed> {
        let mut found = Observed::new();
        eventually("all is well", PATIENCE, || {
            found = self.observe()?;
            Ok(())
        })?;
        truth::only_the_hurt_changed(known, &found, fault)?;
        Ok(found)
    }
}
