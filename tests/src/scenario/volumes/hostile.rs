//! Large ones, names that lead elsewhere, what vanishes, readers in the midst of edits, a full disk.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{PATIENCE, Scene, pod};
use crate::{cluster::Cluster, shell::eventually};

/// How many edits a reader sees.
const EDITS: usize = 60;

pub(super) fn run(cluster: &Cluster, scene: &Scene) -> Result<()> {
    large_and_odd(cluster)?;
    vanishing(cluster)?;
    atomic(cluster)?;
    full(cluster, scene)
}

/// Almost 1 MiB, and keys that would be the agent's own.
fn large_and_odd(cluster: &Cluster) -> Result<()> {
    for key in ["..data", "..", "a/../b"] {
        let data = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}, "data": {key: "x"}});
        let line = format!("kubectl create -f - <<'END'\n{data}\nEND");
        let says = cluster.bash(&line)?.expect_failure(&line)?;
        ensure!(says.contains("is invalid"), "{key}: {says}");
    }
    let size = 1024 * 1024 - 64;
    cluster.sh(&format!(
        "head -c {size} /dev/zero | tr '\\0' x > /tmp/lane-large.$$ && \
         kubectl create configmap large --from-file=all=/tmp/lane-large.$$; rm /tmp/lane-large.$$"
    ))?;
    let volume = json!({"configMap": {"name": "large"}});
    cluster.start_pod(&pod("large", &[("v", volume, json!({"mountPath": "/v"}))]))?;
    let seen = cluster.inside("large", "wc -c < /v/all")?;
    ensure!(seen == size.to_string(), "{seen}");
    cluster.end_pod("large")?;
    cluster.sh("kubectl delete configmap large").map(drop)
}

/// A secret that is deleted under a running pod stays as it was; made again, it is seen.
fn vanishing(cluster: &Cluster) -> Result<()> {
    cluster.sh("kubectl create secret generic vanishing --from-literal=key=old")?;
    let volume = json!({"secret": {"secretName": "vanishing"}});
    cluster.start_pod(&pod(
        "vanishing",
        &[("v", volume, json!({"mountPath": "/v"}))],
    ))?;
    cluster.sh("kubectl delete secret vanishing")?;
    let message = "MountVolume.SetUp failed for volume \"v\" : secret \"vanishing\" not found";
    cluster.event("vanishing", "FailedMount", message)?;
    ensure!(cluster.inside("vanishing", "cat /v/key")? == "old");
    cluster.sh("kubectl create secret generic vanishing --from-literal=key=new")?;
    eventually("the new secret is seen", PATIENCE, || {
        let seen = cluster.inside("vanishing", "cat /v/key")?;
        ensure!(seen == "new", "{seen}");
        Ok(())
    })?;
    cluster.end_pod("vanishing")?;
    cluster.sh("kubectl delete secret vanishing").map(drop)
}

/// A reader in a loop sees all of one edit or all of another.
fn atomic(cluster: &Cluster) -> Result<()> {
    cluster.sh("kubectl create configmap pair --from-literal=a=0 --from-literal=b=0")?;
    let volumes = [
        (
            "v",
            json!({"configMap": {"name": "pair"}}),
            json!({"mountPath": "/v"}),
        ),
        ("out", json!({"emptyDir": {}}), json!({"mountPath": "/out"})),
    ];
    let mut reader = pod("reader", &volumes);
    // What is looked at is one version's directory: where the link points to is read once.
    let watch = "touch /out/mixed /out/seen; \
                 while :; do cd -P /v/..data 2>/dev/null || continue; \
                 a=$(cat a 2>/dev/null) || continue; b=$(cat b 2>/dev/null) || continue; \
                 test \"$a\" = \"$b\" || echo \"$a $b\" >> /out/mixed; echo \"$a\" > /out/seen; done";
    reader["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", watch]);
    cluster.start_pod(&reader)?;
    cluster.sh(&format!(
        "for i in $(seq {EDITS}); do \
         kubectl patch configmap pair --type=merge -p \"{{\\\"data\\\":{{\\\"a\\\":\\\"$i\\\",\\\"b\\\":\\\"$i\\\"}}}}\" >/dev/null || exit 1; done"
    ))?;
    eventually("the last edit is seen", PATIENCE, || {
        let seen = cluster.inside("reader", "cat /out/seen")?;
        ensure!(seen == EDITS.to_string(), "{seen}");
        Ok(())
    })?;
    let mixed = cluster.inside("reader", "cat /out/mixed")?;
    ensure!(mixed.is_empty(), "a mix of two edits: {mixed}");
    cluster.end_pod("reader")?;
    cluster.sh("kubectl delete configmap pair").map(drop)
}

/// A secret that doesn't fit where it would lie: an event says so, and the node is fine.
fn full(cluster: &Cluster, scene: &Scene) -> Result<()> {
    cluster.sh("head -c 900000 /dev/zero | tr '\\0' x | kubectl create secret generic big --from-file=all=/dev/stdin")?;
    let volume = json!({"secret": {"secretName": "big"}});
    let mut pod = pod("full", &[("v", volume, json!({"mountPath": "/v"}))]);
    pod["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "512Ki"}});
    cluster.apply(&pod)?;
    cluster.event("full", "FailedMount", "No space left on device")?;
    let node = &scene.node;
    let ready = cluster.sh(&format!(
        "kubectl get node {node} -o jsonpath='{{.status.conditions[?(@.type==\"Ready\")].status}}'"
    ))?;
    ensure!(ready == "True", "{ready}");
    cluster.end_pod("full")?;
    cluster.sh("kubectl delete secret big").map(drop)
}
