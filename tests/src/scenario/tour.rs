//! The README's tour, word for word; once quietly, once with SIGKILL in the middle.

use anyhow::{Context, Result, bail};

use crate::{
    cluster::{Cluster, tail},
    leftovers::Footprint,
    shell,
    transcript::{self, Step},
};

const HEADING: &str = "## Tour";

/// The tour on a machine where nothing has run before; nothing is left afterwards.
pub(crate) fn run() -> Result<()> {
    let before = Footprint::observe()?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &[])?;
    for step in &steps()? {
        step.perform(&cluster).with_context(|| log(&data))?;
    }
    check_empty(&cluster)?;
    cluster.teardown()?;
    before.check_nothing_new("by the tour")
}

/// The same with SIGKILL after each of a few steps: nothing acknowledged is lost, and containers
/// keep running.
pub(crate) fn run_with_kill() -> Result<()> {
    let before = Footprint::observe()?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &[])?;
    let steps = steps()?;
    let middle = steps.len() / 2;
    for (index, step) in steps.iter().enumerate() {
        step.perform(&cluster).with_context(|| log(&data))?;
        if index == 2 || index == middle {
            kill_and_resume(&mut cluster)
                .with_context(|| format!("after `{}`\n{}", step.command, log(&data)))?;
        }
    }
    check_empty(&cluster)?;
    cluster.teardown()?;
    before.check_nothing_new("by the tour with kills")
}

fn kill_and_resume(cluster: &mut Cluster) -> Result<()> {
    let list = "kubectl get pods,services,deployments,replicasets,configmaps -o name";
    let objects = cluster.sh(list)?;
    let containers = cluster.containers()?;
    cluster.kill()?;
    if cluster.containers()? != containers {
        bail!("containers changed when the cluster's process was killed");
    }
    cluster.resume()?;
    let resumed = cluster.sh(list)?;
    if resumed != objects {
        bail!("objects before the kill:\n{objects}\nafter it:\n{resumed}");
    }
    // Long enough for an agent that does not adopt to start others.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let now = cluster.containers()?;
    if now != containers {
        bail!("containers before the kill: {containers:?}, after it: {now:?}");
    }
    Ok(())
}

/// After the tour's last step no pod's container runs.
fn check_empty(cluster: &Cluster) -> Result<()> {
    shell::eventually(
        "no container is left",
        std::time::Duration::from_secs(30),
        || {
            let containers = cluster.containers()?;
            if !containers.is_empty() {
                bail!("still running: {containers:?}");
            }
            Ok(())
        },
    )?;
    let rules = cluster.sh("iptables-save -t nat")?;
    if rules.contains("default/web") {
        bail!("rules of the deleted service are left:\n{rules}");
    }
    Ok(())
}

fn steps() -> Result<Vec<Step>> {
    let readme = shell::setting("ROOT")?.join("README.md");
    transcript::steps(&std::fs::read_to_string(readme)?, HEADING)
}

fn log(data: &std::path::Path) -> String {
    format!(
        "the cluster's log ends with\n{}",
        tail(&data.with_extension("log"))
    )
}
