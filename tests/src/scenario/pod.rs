//! What a pod promises: restarts in place, probes, volumes, resources, host network.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::identity;
use crate::{cluster::Cluster, shell::eventually};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &[])?;
    cluster.sh("kubectl apply -f tests/testdata/pods.yaml")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/volumes pod/probed pod/neighbours pod/host --timeout=60s")?;
    volumes(&cluster)?;
    probes(&cluster)?;
    neighbours_share_a_network(&cluster)?;
    crashes_restart_in_place(&cluster)?;
    limits_reach_the_cgroup(&cluster)?;
    usage_is_told(&cluster)?;
    out_of_memory_is_told(&cluster)?;
    host_network(&cluster)?;
    node_ports_answer(&cluster)?;
    exit_codes_come_back(&cluster)?;
    graceful_termination(&cluster)?;
    cluster
        .sh("kubectl delete -f tests/testdata/pods.yaml --ignore-not-found --wait --timeout=60s")?;
    cluster.teardown()
}

fn volumes(cluster: &Cluster) -> Result<()> {
    let cat = |path: &str| cluster.sh(&format!("kubectl exec volumes -- /kuard cat {path}"));
    ensure!(cat("/config/greeting")? == "hello", "configMap volume");
    ensure!(cat("/secret/password")? == "s3cret", "secret volume");
    ensure!(
        cat("/proc/mounts")?
            .lines()
            .any(|line| line.contains(" /secret tmpfs ")),
        "secrets lie on tmpfs"
    );
    ensure!(
        cat("/proc/mounts")?
            .lines()
            .any(|line| line.contains(" /scratch ")),
        "emptyDir volume"
    );
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    ensure!(
        cat(&format!("{account}/namespace"))? == "default",
        "the account's volume"
    );
    let token = cat(&format!("{account}/token"))?;
    let name = identity::who_am_i(cluster, &token)?.expect_success("whoami")?;
    ensure!(name == "system:serviceaccount:default:default", "{name}");
    let env = cluster.sh("kubectl exec volumes -- /kuard env")?;
    for line in [
        "GREETING=hello",
        "PASSWORD=s3cret",
        "NAME=volumes",
        "MESSAGE=hello from volumes",
    ] {
        ensure!(
            env.lines().any(|found| found == line),
            "{line} is not in\n{env}"
        );
    }
    cluster.sh(
        "kubectl patch configmap settings --type=merge -p '{\"data\":{\"greeting\":\"changed\"}}'",
    )?;
    eventually("an edit reaches the file", Duration::from_secs(90), || {
        let now = cluster.sh("kubectl exec volumes -- /kuard cat /config/greeting")?;
        ensure!(now == "changed", "{now}");
        Ok(())
    })
}

fn probes(cluster: &Cluster) -> Result<()> {
    let endpoints = "kubectl get endpointslices -l kubernetes.io/service-name=probed -o jsonpath='{.items[*].endpoints[*].conditions.ready}'";
    let address = cluster.sh("kubectl get pod probed -o jsonpath='{.status.podIP}'")?;
    let tell = |probe: &str, failures: i64| {
        cluster.sh(&format!(
            "curl -sS -X PUT http://{address}:8080/{probe}/api -d '{{\"failNext\":{failures}}}'"
        ))
    };
    eventually("ready endpoints", PATIENCE, || {
        ensure!(cluster.sh(endpoints)? == "true");
        Ok(())
    })?;
    tell("ready", -1)?;
    eventually(
        "a failing readiness probe takes the endpoint away",
        PATIENCE,
        || {
            ensure!(cluster.sh(endpoints)? == "false");
            Ok(())
        },
    )?;
    tell("ready", 0)?;
    tell("healthy", -1)?;
    eventually(
        "a failing liveness probe restarts the container",
        PATIENCE,
        || {
            let restarts = cluster.sh(
                "kubectl get pod probed -o jsonpath='{.status.containerStatuses[0].restartCount}'",
            )?;
            ensure!(restarts == "1", "restarts: {restarts}");
            Ok(())
        },
    )?;
    cluster.sh("kubectl get events --field-selector involvedObject.name=probed,reason=Unhealthy | grep Liveness").map(drop)
}

fn neighbours_share_a_network(cluster: &Cluster) -> Result<()> {
    let page = cluster
        .sh("kubectl exec neighbours -c client -- /kuard get http://127.0.0.1:8080/env/api")?;
    ensure!(page.contains("\"hostname\":\"neighbours\""), "{page}");
    Ok(())
}

fn crashes_restart_in_place(cluster: &Cluster) -> Result<()> {
    let uid = cluster.sh("kubectl get pod crashing -o jsonpath='{.metadata.uid}'")?;
    eventually("a crash backs off", PATIENCE, || {
        let line = cluster.sh("kubectl get pod crashing --no-headers")?;
        ensure!(line.contains("CrashLoopBackOff"), "{line}");
        Ok(())
    })?;
    ensure!(cluster.sh("kubectl get pod crashing -o jsonpath='{.metadata.uid}'")? == uid);
    let state = cluster.sh("kubectl get pod crashing -o jsonpath='{.status.containerStatuses[0].lastState.terminated.exitCode}'")?;
    ensure!(state == "7", "exit code {state}");
    Ok(())
}

fn limits_reach_the_cgroup(cluster: &Cluster) -> Result<()> {
    let id = cluster
        .sh("kubectl get pod limited -o jsonpath='{.status.containerStatuses[0].containerID}'")?;
    let id = id.trim_start_matches("containerd://");
    let find = format!(
        "cat $(find /sys/fs/cgroup -path '*{id}*' \\( -name memory.limit_in_bytes -o -name memory.max \\) | head -1)"
    );
    let limit = cluster.sh(&find)?;
    ensure!(
        limit.trim() == (64 << 20).to_string(),
        "memory limit is {limit}"
    );
    Ok(())
}

/// The node tells what the machine, the pod's group and the runtime count.
fn usage_is_told(cluster: &Cluster) -> Result<()> {
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let raw = format!("kubectl get --raw /api/v1/nodes/{node}/proxy");
    let figure = |summary: &serde_json::Value, pointer: &str| {
        let found = summary.pointer(pointer);
        let found = found.and_then(serde_json::Value::as_u64);
        found.with_context(|| format!("no {pointer} in {summary}"))
    };
    // A speed needs two looks, a while apart.
    eventually("every figure is told", PATIENCE, || {
        let summary = cluster.sh(&format!("{raw}/stats/summary"))?;
        let summary: serde_json::Value = serde_json::from_str(&summary)?;
        for of_node in [
            "cpu/usageNanoCores",
            "memory/workingSetBytes",
            "fs/usedBytes",
        ] {
            ensure!(
                figure(&summary, &format!("/node/{of_node}"))? > 0,
                "{of_node}"
            );
        }
        figure(&summary, "/node/runtime/imageFs/usedBytes")?;
        let pods = summary["pods"].as_array().context("pods")?;
        let limited = pods.iter().find(|pod| pod["podRef"]["name"] == "limited");
        let limited = limited.with_context(|| format!("the pod is missing in {summary}"))?;
        let (whole, part) = (
            "/memory/workingSetBytes",
            "/containers/0/memory/workingSetBytes",
        );
        ensure!(
            figure(limited, whole)? >= figure(limited, part)?,
            "{limited}"
        );
        let left = figure(limited, "/containers/0/memory/availableBytes")?;
        ensure!(left < 64 << 20, "{limited}");
        for of_pod in [
            "/cpu/usageNanoCores",
            "/network/rxBytes",
            "/ephemeral-storage/usedBytes",
        ] {
            figure(limited, of_pod)?;
        }
        Ok(())
    })?;
    let exposed = cluster.sh(&format!("{raw}/metrics/resource"))?;
    let sample =
        r#"container_cpu_usage_seconds_total{container="web",namespace="default",pod="limited"}"#;
    ensure!(exposed.contains(sample), "{exposed}");
    Ok(())
}

fn out_of_memory_is_told(cluster: &Cluster) -> Result<()> {
    let address = cluster.sh("kubectl get pod limited -o jsonpath='{.status.podIP}'")?;
    // The connection dies with the server.
    cluster.bash(&format!(
        "curl -sS -X POST 'http://{address}:8080/mem/api/alloc?size=134217728'"
    ))?;
    eventually("the killed container says OOMKilled", PATIENCE, || {
        let reason = cluster.sh("kubectl get pod limited -o jsonpath='{.status.containerStatuses[0].lastState.terminated.reason}'")?;
        ensure!(reason == "OOMKilled", "{reason}");
        Ok(())
    })
}

fn host_network(cluster: &Cluster) -> Result<()> {
    let addresses =
        cluster.sh("kubectl get pod host -o jsonpath='{.status.podIP} {.status.hostIP}'")?;
    let (pod, host) = addresses.split_once(' ').unwrap_or_default();
    ensure!(!pod.is_empty() && pod == host, "{addresses}");
    Ok(())
}

fn node_ports_answer(cluster: &Cluster) -> Result<()> {
    let port =
        cluster.sh("kubectl get service neighbours -o jsonpath='{.spec.ports[0].nodePort}'")?;
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type==\"InternalIP\")].address}'")?;
    eventually("the node port answers", PATIENCE, || {
        cluster.sh(&format!(
            "curl -sSf --max-time 2 http://{node}:{port}/env/api"
        ))?;
        cluster
            .sh(&format!(
                "curl -sSf --max-time 2 http://127.0.0.1:{port}/env/api"
            ))
            .map(drop)
    })
}

fn exit_codes_come_back(cluster: &Cluster) -> Result<()> {
    let outcome = cluster.bash("kubectl exec volumes -- /kuard exit 42; echo code $?")?;
    ensure!(outcome.stdout.trim() == "code 42", "{outcome:?}");
    Ok(())
}

fn graceful_termination(cluster: &Cluster) -> Result<()> {
    cluster.sh("kubectl logs -f volumes > /tmp/lane-follow.$$ & sleep 1; kubectl delete pod volumes --wait --timeout=40s; wait; \
                grep -q 'kuard stopping' /tmp/lane-follow.$$ && rm /tmp/lane-follow.$$").map(drop)
}
