//! What a node decides by itself: it resizes pods in place, puts them out, and runs those that its files define.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};

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
    a_volume_over_its_limit_costs_the_pod(&cluster, &data)?;
    what_does_not_fit_is_refused(&cluster)?;
    a_file_makes_a_pod(&mut cluster, &data)?;
    cluster.teardown()?;
    pressure_puts_pods_out(&directory.path().join("pressed"))
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
    let address = cluster.sh("kubectl get pod sized -o jsonpath='{.status.podIP}'")?;
    cluster.sh(&format!(
        "curl -sS -X POST 'http://{address}:8080/mem/api/alloc?size=41943040'"
    ))?;
    resize(cluster, "web", "150m", "32Mi")?;
    eventually("the resize fails", PATIENCE, || {
        let reason = condition(cluster, "PodResizeInProgress", "reason")?;
        ensure!(reason == "Error", "{reason}");
        Ok(())
    })?;
    let message = condition(cluster, "PodResizeInProgress", "message")?;
    ensure!(
        message.starts_with("cannot decrease memory limits: ")
            && message.contains(
                r#"attempting to set container "web" memory limit (33554432) below current usage ("#
            ),
        "{message}"
    );
    ensure!(inside(cluster)?.0 == mib(96));
    resize(cluster, "web", "150m", "96Mi")?;
    until_resized(cluster, "web", "150m", "96Mi")
}

/// What a pod has been promised is not forgotten: a wish that came while the agent was away is still one. More than the
/// node has is refused at once; all that it has, beside a neighbour, is waited for.
fn a_wish_outlives_the_agent(cluster: &mut Cluster) -> Result<()> {
    let id = told(cluster, "web", "containerID")?;
    let refused = resize(cluster, "web", "1000", "96Mi").map_err(|error| error.to_string());
    let why =
        "Node didn't have enough allocatable resources: cpu, requested: 1000060, allocatable: ";
    ensure!(
        refused.as_ref().is_err_and(|said| said.contains(why)),
        "{refused:?}"
    );
    cluster.sh("kubectl wait --for=condition=Ready pod/neighbour --timeout=60s")?;
    let all = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].status.allocatable.cpu}'")?;
    let all: u64 = match all.strip_suffix('m') {
        Some(milli) => milli.parse()?,
        None => all.parse::<u64>()? * 1000,
    };
    resize(cluster, "web", &format!("{}m", all - 60), "96Mi")?;
    let is_waiting = |cluster: &Cluster| {
        let reason = condition(cluster, "PodResizePending", "reason")?;
        let message = condition(cluster, "PodResizePending", "message")?;
        ensure!(reason == "Deferred", "{reason}: {message}");
        let start = format!("Node didn't have enough resource: cpu, requested: {all}, used: ");
        ensure!(message.starts_with(&start), "{message}");
        Ok(())
    };
    eventually("there is no room", PATIENCE, || is_waiting(cluster))?;
    cluster.kill()?;
    cluster.resume()?;
    cluster.sh("kubectl label pod sized seen=again")?;
    eventually("there is still no room", PATIENCE, || is_waiting(cluster))?;
    ensure!(told(cluster, "web", "containerID")? == id);
    ensure!(told(cluster, "web", "allocatedResources.cpu")? == "150m");
    ensure!(inside(cluster)?.1 == "15000");
    resize(cluster, "web", "100m", "96Mi")?;
    until_resized(cluster, "web", "100m", "96Mi")?;
    ensure!(told(cluster, "web", "containerID")? == id);
    Ok(())
}

fn pod(cluster: &Cluster, name: &str, path: &str) -> Result<String> {
    cluster.sh(&format!(
        "kubectl get pod {name} --ignore-not-found -o jsonpath='{{{path}}}'"
    ))
}

/// The volume is filled from outside: the demo image writes nothing.
fn a_volume_over_its_limit_costs_the_pod(cluster: &Cluster, data: &Path) -> Result<()> {
    cluster.sh("kubectl wait --for=condition=Ready pod/hoarder --timeout=60s")?;
    let uid = pod(cluster, "hoarder", ".metadata.uid")?;
    let volume = data.join(format!(
        "kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/heap"
    ));
    fs::write(volume.join("much"), vec![1; 2 << 20])
        .with_context(|| volume.display().to_string())?;
    eventually("the pod is evicted", PATIENCE, || {
        let phase = pod(cluster, "hoarder", ".status.phase")?;
        ensure!(phase == "Failed", "{phase}");
        Ok(())
    })?;
    let reason = pod(cluster, "hoarder", ".status.reason")?;
    ensure!(reason == "Evicted", "{reason}");
    let message = pod(cluster, "hoarder", ".status.message")?;
    ensure!(
        message == r#"Usage of EmptyDir volume "heap" exceeds the limit "1Mi". "#,
        "{message:?}"
    );
    ensure!(!volume.exists(), "its volume is gone");
    let ready = pod(cluster, "sized", ".status.phase")?;
    ensure!(ready == "Running", "its neighbour is {ready}");
    Ok(())
}

/// Pods that were bound past the scheduler are weighed all the same.
fn what_does_not_fit_is_refused(cluster: &Cluster) -> Result<()> {
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let overrides = format!(
        r#"{{"spec":{{"nodeName":"{node}","containers":[{{"name":"c","image":"localhost/kuard:blue","resources":{{"requests":{{"cpu":"1000"}}}}}}]}}}}"#
    );
    cluster.sh(&format!(
        "kubectl run giant --image=localhost/kuard:blue --restart=Never --overrides='{overrides}'"
    ))?;
    eventually("the pod is refused", PATIENCE, || {
        let reason = pod(cluster, "giant", ".status.reason")?;
        ensure!(reason == "OutOfcpu", "{reason}");
        Ok(())
    })?;
    let message = pod(cluster, "giant", ".status.message")?;
    let start =
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: ";
    ensure!(message.starts_with(start), "{message}");
    cluster
        .sh("kubectl delete pod giant hoarder --wait --timeout=60s")
        .map(drop)
}

fn a_file_makes_a_pod(cluster: &mut Cluster, data: &Path) -> Result<()> {
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let name = format!("fixed-{node}");
    let manifests = data.join("manifests");
    fs::create_dir_all(&manifests)?;
    let manifest = manifests.join("fixed.yaml");
    let source = crate::shell::setting("ROOT")?.join("tests/testdata/static-pod.yaml");
    fs::copy(&source, &manifest)?;
    let is_running = |cluster: &Cluster| {
        let phase = pod(cluster, &name, ".status.phase")?;
        ensure!(phase == "Running", "{phase}");
        Ok(())
    };
    eventually("the API shows the pod", PATIENCE, || is_running(cluster))?;
    let annotation = |cluster: &Cluster, name: &str, of: &str| {
        pod(
            cluster,
            of,
            &format!(".metadata.annotations.kubernetes\\.io/config\\.{name}"),
        )
    };
    let hash = annotation(cluster, "hash", &name)?;
    ensure!(annotation(cluster, "mirror", &name)? == hash && !hash.is_empty());
    ensure!(annotation(cluster, "source", &name)? == "file");
    let page = cluster.sh(&format!(
        "kubectl exec {name} -- /kuard get http://127.0.0.1:8080/ready"
    ))?;
    ensure!(page.trim() == "ok", "{page}");
    let id = pod(cluster, &name, ".status.containerStatuses[0].containerID")?;
    let uid = pod(cluster, &name, ".metadata.uid")?;

    // Deleting the image of a pod makes another image, of the same pod.
    cluster.sh(&format!("kubectl delete pod {name} --wait=false"))?;
    eventually("it is shown again", PATIENCE, || {
        let now = pod(cluster, &name, ".metadata.uid")?;
        ensure!(!now.is_empty() && now != uid, "{now}");
        is_running(cluster)
    })?;
    ensure!(pod(cluster, &name, ".status.containerStatuses[0].containerID")? == id);
    cluster.kill()?;
    cluster.resume()?;
    eventually("it is still shown", PATIENCE, || is_running(cluster))?;
    ensure!(pod(cluster, &name, ".status.containerStatuses[0].containerID")? == id);

    let text = fs::read_to_string(&source)?;
    fs::write(&manifest, text.replace("kuard:blue", "kuard:green"))?;
    eventually("another definition is another pod", PATIENCE, || {
        let image = pod(cluster, &name, ".spec.containers[0].image")?;
        ensure!(image == "localhost/kuard:green", "{image}");
        is_running(cluster)
    })?;
    ensure!(annotation(cluster, "hash", &name)? != hash);
    fs::remove_file(&manifest)?;
    eventually("without its file it goes", PATIENCE, || {
        let uid = pod(cluster, &name, ".metadata.uid")?;
        ensure!(uid.is_empty(), "{uid}");
        Ok(())
    })
}

/// No machine has that much memory: the node is short of it from the first look on.
fn pressure_puts_pods_out(data: &Path) -> Result<()> {
    let mut cluster = Cluster::start(data, &["--eviction-hard", "memory.available<64Ti"])?;
    eventually("the node is short of memory", PATIENCE, || {
        let path = r#"{.items[0].status.conditions[?(@.type=="MemoryPressure")].reason}"#;
        let reason = cluster.sh(&format!("kubectl get nodes -o jsonpath='{path}'"))?;
        ensure!(reason == "KubeletHasInsufficientMemory", "{reason}");
        Ok(())
    })?;
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let run = |name: &str, spec: &str| {
        let overrides = format!(r#"{{"spec":{{"nodeName":"{node}",{spec}}}}}"#);
        cluster.sh(&format!(
            "kubectl run {name} --image=localhost/kuard:blue --restart=Never --overrides='{overrides}'"
        ))
    };
    run("careless", r#""terminationGracePeriodSeconds":1"#)?;
    run("critical", r#""priorityClassName":"system-node-critical""#)?;
    run(
        "modest",
        r#""containers":[{"name":"c","image":"localhost/kuard:blue","resources":{"requests":{"cpu":"1m"}}}]"#,
    )?;
    let until_evicted = |name: &str, start: &str| {
        eventually("the pod is put out", PATIENCE, || {
            let reason = pod(&cluster, name, ".status.reason")?;
            ensure!(reason == "Evicted", "{reason}");
            Ok(())
        })?;
        let message = pod(&cluster, name, ".status.message")?;
        ensure!(message.starts_with(start), "{message:?}");
        Ok(())
    };
    until_evicted(
        "careless",
        "Pod was rejected: The node had condition: [MemoryPressure]. ",
    )?;
    let low = "The node was low on resource: memory. Threshold quantity: 64Ti, available: ";
    until_evicted("modest", low)?;
    let path = r#".status.conditions[?(@.type=="DisruptionTarget")].reason"#;
    let reason = pod(&cluster, "modest", path)?;
    ensure!(reason == "TerminationByKubelet", "{reason}");
    let phase = pod(&cluster, "critical", ".status.phase")?;
    ensure!(phase == "Running", "the critical pod is {phase}");
    cluster.teardown()
}
