//! What a node does for its own sake: it resizes pods in place.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{cluster::Cluster, shell::eventually};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &[])?;
    cluster.sh("kubectl apply -f tests/testdata/node.yaml")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/sized --timeout=60s")?;
    resources_change_in_place(&cluster)?;
    a_policy_restarts(&cluster)?;
    memory_in_use_is_not_taken_away(&cluster)?;
    a_wish_outlives_the_agent(&mut cluster)?;
    cluster.teardown()
}

/// Asks for other requests and limits of a container.
fn resize(cluster: &Cluster, container: &str, cpu: &str, memory: &str) -> Result<()> {
    let amounts = format!(r#"{{"cpu":"{cpu}","memory":"{memory}"}}"#);
    let resources = format!(r#"{{"requests":{amounts},"limits":{amounts}}}"#);
    cluster.sh(&format!(
        r#"kubectl patch pod sized --subresource resize -p '{{"spec":{{"containers":[{{"name":"{container}","resources":{resources}}}]}}}}'"#
    ))?;
    Ok(())
}

/// Something about a container's status.
fn told(cluster: &Cluster, container: &str, path: &str) -> Result<String> {
    cluster.sh(&format!(
        r#"kubectl get pod sized -o jsonpath='{{.status.containerStatuses[?(@.name=="{container}")].{path}}}'"#
    ))
}

/// Something about a condition, empty if there is no such.
fn condition(cluster: &Cluster, type_: &str, field: &str) -> Result<String> {
    cluster.sh(&format!(
        r#"kubectl get pod sized -o jsonpath='{{.status.conditions[?(@.type=="{type_}")].{field}}}'"#
    ))
}

fn until_resized(cluster: &Cluster, container: &str, cpu: &str, memory: &str) -> Result<()> {
    eventually("the container has other resources", PATIENCE, || {
        for (name, amount) in [("cpu", cpu), ("memory", memory)] {
            let has = told(cluster, container, &format!("resources.limits.{name}"))?;
            ensure!(has == amount, "{name}: {has}");
            let promised = told(cluster, container, &format!("allocatedResources.{name}"))?;
            ensure!(promised == amount, "promised {name}: {promised}");
        }
        for type_ in ["PodResizePending", "PodResizeInProgress"] {
            let status = condition(cluster, type_, "status")?;
            ensure!(status.is_empty(), "{type_}={status}");
        }
        Ok(())
    })
}

/// A limit of memory as the container itself sees it, and quota per period of its processor time.
fn inside(cluster: &Cluster) -> Result<(String, String)> {
    let cat = |old: &str, new: &str| {
        let read =
            |path: &str| cluster.bash(&format!("kubectl exec sized -c web -- /kuard cat {path}"));
        let outcome = read(&format!("/sys/fs/cgroup/{old}"))?;
        if outcome.success {
            return Ok(outcome.stdout.trim().to_owned());
        }
        let text = read(&format!("/sys/fs/cgroup/{new}"))?.expect_success("read the group")?;
        Ok::<_, anyhow::Error>(
            text.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    Ok((
        cat("memory/memory.limit_in_bytes", "memory.max")?,
        cat("cpu/cpu.cfs_quota_us", "cpu.max")?,
    ))
}

/// The limit of memory of the pod's whole group.
fn of_pod(cluster: &Cluster) -> Result<String> {
    let uid = cluster.sh("kubectl get pod sized -o jsonpath='{.metadata.uid}'")?;
    let found = cluster.sh(&format!(
        "cat $(find /sys/fs/cgroup -path '*pod{uid}/memory.limit_in_bytes' -o -path '*pod{uid}/memory.max' | head -1)"
    ))?;
    Ok(found.trim().to_owned())
}

fn mib(amount: u64) -> String {
    (amount << 20).to_string()
}

fn resources_change_in_place(cluster: &Cluster) -> Result<()> {
    let id = told(cluster, "web", "containerID")?;
    ensure!(of_pod(cluster)? == mib(96));
    for (cpu, memory, quota, bytes, whole) in [
        ("200m", "128Mi", "20000", 128, 160),
        ("150m", "96Mi", "15000", 96, 128),
    ] {
        resize(cluster, "web", cpu, memory)?;
        until_resized(cluster, "web", cpu, memory)?;
        let found = inside(cluster)?;
        ensure!(found == (mib(bytes), quota.to_owned()), "{found:?}");
        let found = of_pod(cluster)?;
        ensure!(found == mib(whole), "the pod's group: {found}");
    }
    ensure!(told(cluster, "web", "containerID")? == id);
    let events = "kubectl get events --field-selector involvedObject.name=sized,reason=";
    for reason in ["ResizeStarted", "ResizeCompleted"] {
        let line = cluster.sh(&format!("{events}{reason} --no-headers"))?;
        ensure!(line.contains(r#"Pod resize "#), "{reason}: {line}");
    }
    Ok(())
}

fn a_policy_restarts(cluster: &Cluster) -> Result<()> {
    resize(cluster, "renewed", "60m", "32Mi")?;
    until_resized(cluster, "renewed", "60m", "32Mi")?;
    ensure!(told(cluster, "renewed", "restartCount")? == "0");
    resize(cluster, "renewed", "60m", "40Mi")?;
    until_resized(cluster, "renewed", "60m", "40Mi")?;
    ensure!(told(cluster, "renewed", "restartCount")? == "1");
    let found = of_pod(cluster)?;
    ensure!(found == mib(136), "the pod's group: {found}");
    Ok(())
}

fn memory_in_use_is_not_taken_away(cluster: &Cluster) -> Result<()> {
    resize(cluster, "web", "150m", "1Mi")?;
    eventually("the resize fails", PATIENCE, || {
        let reason = condition(cluster, "PodResizeInProgress", "reason")?;
        ensure!(reason == "Error", "{reason}");
        Ok(())
    })?;
    let message = condition(cluster, "PodResizeInProgress", "message")?;
    ensure!(
        message.starts_with("cannot decrease memory limits: ")
            && message.contains(
                r#"attempting to set container "web" memory limit (1048576) below current usage ("#
            ),
        "{message}"
    );
    ensure!(inside(cluster)?.0 == mib(96));
    resize(cluster, "web", "150m", "96Mi")?;
    until_resized(cluster, "web", "150m", "96Mi")
}

/// What a pod has been promised is not forgotten: a wish that came while the agent was away is still one.
fn a_wish_outlives_the_agent(cluster: &mut Cluster) -> Result<()> {
    let id = told(cluster, "web", "containerID")?;
    resize(cluster, "web", "1000", "96Mi")?;
    let is_infeasible = |cluster: &Cluster| {
        let reason = condition(cluster, "PodResizePending", "reason")?;
        let message = condition(cluster, "PodResizePending", "message")?;
        ensure!(reason == "Infeasible", "{reason}: {message}");
        let start = "Node didn't have enough capacity: cpu, requested: 1000060, capacity: ";
        ensure!(message.starts_with(start), "{message}");
        Ok(())
    };
    eventually("the node is too small", PATIENCE, || is_infeasible(cluster))?;
    cluster.kill()?;
    cluster.resume()?;
    cluster.sh("kubectl label pod sized seen=again")?;
    eventually("the node is still too small", PATIENCE, || {
        is_infeasible(cluster)
    })?;
    ensure!(told(cluster, "web", "containerID")? == id);
    ensure!(told(cluster, "web", "allocatedResources.cpu")? == "150m");
    ensure!(inside(cluster)?.1 == "15000");
    resize(cluster, "web", "100m", "96Mi")?;
    until_resized(cluster, "web", "100m", "96Mi")?;
    ensure!(told(cluster, "web", "containerID")? == id);
    Ok(())
}
