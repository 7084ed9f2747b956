//! What must hold when the dust has settled.

use std::{collections::BTreeMap, fs, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{World, fault::Fault};
use crate::shell::Outcome;

/// `POD/CONTAINER` to the id of the container that runs as it.
pub(super) type Observed = BTreeMap<String, String>;

/// How many containers the workload has.
const CONTAINERS: usize = 12;
const PODS: usize = 6;

impl World {
    /// What runs, if the API's word and the runtime's agree and all of it is well.
    pub(super) fn observe(&self) -> Result<Observed> {
        let agent = self
            .plane
            .sh("kubectl get --raw /api/v1/nodes/node-1/proxy/healthz")?;
        ensure!(agent == "ok", "the agent says {agent}");
        let pods = self.plane.sh("kubectl get pods -l app=idle -o json")?;
        let pods: Value = serde_json::from_str(&pods)?;
        let mut found = Observed::new();
        for pod in pods["items"].as_array().into_iter().flatten() {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let status = &pod["status"];
            ensure!(
                status["phase"] == "Running",
                "{name} is {}",
                status["phase"]
            );
            for container in status["containerStatuses"].as_array().into_iter().flatten() {
                let own = container["name"].as_str().unwrap_or_default();
                ensure!(container["ready"] == true, "{name}/{own} is {container}");
                let id = container["containerID"].as_str().unwrap_or_default();
                let id = id.strip_prefix("containerd://").context("an id")?;
                found.insert(format!("{name}/{own}"), id.to_owned());
            }
        }
        ensure!(found.len() == CONTAINERS, "there are {}", found.len());
        let running: Vec<String> = self.tasks()?.into_iter().map(|(id, _)| id).collect();
        for (name, id) in &found {
            ensure!(
                running.contains(id),
                "{name} is said to run as {id}, and doesn't"
            );
        }
        // A sandbox each, and nothing that the API doesn't know of.
        let expected = CONTAINERS + PODS;
        ensure!(
            running.len() == expected,
            "{} run, not {expected}",
            running.len()
        );
        let endpoints = self
            .plane
            .sh("kubectl get endpoints idle -o jsonpath={.subsets[0].addresses[*].ip}")?;
        let count = endpoints.split_whitespace().count();
        ensure!(count == PODS, "{count} pods are behind the service");
        Ok(found)
    }

    /// Whether the node has let go of everything.
    pub(super) fn is_empty(&self) -> Result<()> {
        let tasks = self.tasks()?;
        ensure!(tasks.is_empty(), "{} run", tasks.len());
        let containers = self.ctr(&["containers", "list", "--quiet"])?;
        ensure!(
            containers.trim().is_empty(),
            "containers are left: {containers}"
        );
        let data = self.data.canonicalize()?;
        let pods = data.join("kubelet/pods");
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let left = mounts
            .lines()
            .filter(|line| line.contains(&*pods.to_string_lossy()));
        ensure!(
            left.clone().count() == 0,
            "mounts are left: {:?}",
            left.collect::<Vec<_>>()
        );
        let left: Vec<_> = fs::read_dir(&pods)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        ensure!(left.is_empty(), "pods' directories are left: {left:?}");
        let addresses = fs::read_dir(data.join("cni/addresses/k8s"))?.flatten();
        let left: Vec<_> = addresses
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("10."))
            .collect();
        ensure!(left.is_empty(), "addresses are left: {left:?}");
        let links = Command::new("ip")
            .args(["-o", "link", "show", "type", "veth"])
            .output()?;
        let links = Outcome::from(links).expect_success("links")?;
        let left = links
            .lines()
            .filter(|line| line.contains("master k8s-"))
            .count();
        ensure!(left == 0, "links are left: {links}");
        Ok(())
    }

    /// The runtime's process.
    pub(super) fn runtime(&self) -> Result<i32> {
        let file = self.data.join("containerd/containerd.pid");
        Ok(fs::read_to_string(file)?.trim().parse()?)
    }

    /// A running container's process.
    pub(super) fn process(&self, id: &str) -> Result<i32> {
        let mut tasks = self.tasks()?.into_iter();
        let found = tasks.find(|(each, _)| each == id);
        found
            .map(|(_, process)| process)
            .with_context(|| format!("{id} runs"))
    }

    /// What runs: ids and processes.
    fn tasks(&self) -> Result<Vec<(String, i32)>> {
        let listing = self.ctr(&["tasks", "list"])?;
        let running = listing.lines().filter(|line| line.contains("RUNNING"));
        let task = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        Ok(running.filter_map(task).collect())
    }

    fn ctr(&self, words: &[&str]) -> Result<String> {
        let socket = self.data.join("containerd/containerd.sock");
        let mut command = Command::new("ctr");
        command
            .arg("--address")
            .arg(socket)
            .args(["--namespace", "k8s.io"]);
        Outcome::from(command.args(words).output()?).expect_success("ctr")
    }
}

/// A container runs as it did, unless it was hit itself, or its pod was.
pub(super) fn only_the_hurt_changed(
    known: &Observed,
    found: &Observed,
    fault: Option<&Fault>,
) -> Result<()> {
    let pod_of = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let hurt = match fault {
        Some(Fault::Shim(id)) => known.iter().find(|(_, each)| *each == id),
        _ => None,
    };
    let hurt = hurt.map(|(name, _)| pod_of(name));
    for (name, id) in known {
        let is_hit = matches!(fault, Some(Fault::Container(hit)) if hit == id);
        let may_change = is_hit || hurt == Some(pod_of(name));
        ensure!(
            may_change || found.get(name) == Some(id),
            "{name} ran as {id}, and now as {:?}",
            found.get(name)
        );
    }
    Ok(())
}
