//! Claims on paths of the node. They are bound by hand, as the binder would.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{PATIENCE, Scene, pod};
use crate::{cluster::Cluster, shell::eventually};

pub(super) fn run(cluster: &mut Cluster, scene: &Scene) -> Result<()> {
    unbound(cluster)?;
    local(cluster, scene)?;
    host_path(cluster, scene)?;
    alone(cluster, scene)?;
    refused(cluster, scene)?;
    device(cluster, scene)
}

/// Makes a volume and a claim of this name, bound to each other.
pub(super) fn bind(cluster: &Cluster, name: &str, volume: Value, access: &str) -> Result<()> {
    let block = volume
        .get("volumeMode")
        .cloned()
        .unwrap_or(json!("Filesystem"));
    let mut spec = json!({
        "capacity": {"storage": "1Mi"},
        "accessModes": [access],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "by-hand",
        "claimRef": {"namespace": "default", "name": name},
    });
    if let (Some(spec), Value::Object(volume)) = (spec.as_object_mut(), volume) {
        spec.extend(volume);
    }
    let kind = |kind: &str, spec: &Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    cluster.apply(&kind("PersistentVolume", &spec))?;
    let claim = json!({
        "accessModes": [access],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "by-hand",
        "volumeName": name,
        "volumeMode": block,
    });
    cluster.apply(&kind("PersistentVolumeClaim", &claim))?;
    let uid = cluster.sh(&format!(
        "kubectl get pvc {name} -o jsonpath='{{.metadata.uid}}'"
    ))?;
    let reference =
        json!({"spec": {"claimRef": {"namespace": "default", "name": name, "uid": uid}}});
    patch(cluster, "pv", name, "", &reference)?;
    let bound = json!({"status": {"phase": "Bound", "accessModes": [access], "capacity": {"storage": "1Mi"}}});
    patch(cluster, "pvc", name, "--subresource=status", &bound)?;
    patch(
        cluster,
        "pv",
        name,
        "--subresource=status",
        &json!({"status": {"phase": "Bound"}}),
    )
}

pub(super) fn patch(
    cluster: &Cluster,
    kind: &str,
    name: &str,
    more: &str,
    change: &Value,
) -> Result<()> {
    cluster
        .sh(&format!(
            "kubectl patch {kind} {name} {more} --type=merge -p '{change}'"
        ))
        .map(drop)
}

/// Removes a claim and its volume.
pub(super) fn forget(cluster: &Cluster, name: &str) -> Result<()> {
    for kind in ["pvc", "pv"] {
        // Who would take the protection off may not be there.
        let none = json!({"metadata": {"finalizers": null}});
        cluster.bash(&format!("kubectl delete {kind} {name} --wait=false"))?;
        cluster.bash(&format!(
            "kubectl patch {kind} {name} --type=merge -p '{none}'"
        ))?;
    }
    Ok(())
}

pub(super) fn claimed(claim: &str) -> Value {
    json!({"persistentVolumeClaim": {"claimName": claim}})
}

/// A pod that is on the node already, whatever the scheduler would say.
pub(super) fn placed(scene: &Scene, mut pod: Value) -> Value {
    pod["spec"]["nodeName"] = json!(scene.node);
    pod
}

fn at(path: &str) -> Value {
    json!({ "mountPath": path })
}

/// A pod waits, and says for what.
fn unbound(cluster: &Cluster) -> Result<()> {
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let mut waiting = pod("waiting", &[("data", claimed("later"), at("/data"))]);
    waiting["spec"]["nodeName"] = json!(node);
    cluster.apply(&waiting)?;
    let head = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], \
                failed to process volumes=[data]: error processing PVC default/later: ";
    let missing = "failed to fetch PVC from API server: persistentvolumeclaims \"later\" not found";
    cluster.event("waiting", "FailedMount", &format!("{head}{missing}"))?;
    cluster.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "later"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }))?;
    cluster.event("waiting", "FailedMount", &format!("{head}PVC is not bound"))?;
    cluster.end_pod("waiting")?;
    forget(cluster, "later")
}

/// Data outlives pods, the agent and the runtime's restart of the pod; nothing is mounted twice.
fn local(cluster: &mut Cluster, scene: &Scene) -> Result<()> {
    let dir = scene.dir("local")?;
    let here = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [scene.node]},
    ]}]}});
    bind(
        cluster,
        "local",
        json!({"local": {"path": dir}, "nodeAffinity": here}),
        "ReadWriteOnce",
    )?;
    let mut writer = placed(
        scene,
        pod("writer", &[("data", claimed("local"), at("/data"))]),
    );
    writer["spec"]["securityContext"] =
        json!({"fsGroup": 3000, "fsGroupChangePolicy": "OnRootMismatch"});
    cluster.start_pod(&writer)?;
    cluster.inside("writer", "echo kept > /data/note")?;
    ensure!(cluster.inside("writer", "stat -c %g /data /data/note")? == "3000\n3000");
    let before = scene.mounts()?;
    cluster.restart_under("writer", || Ok(()))?;
    cluster.inside("writer", "echo more >> /data/note")?;
    ensure!(
        scene.mounts()? == before,
        "{before:?} became {:?}",
        scene.mounts()?
    );
    cluster.end_pod("writer")?;
    let mut reader = claimed("local");
    reader["persistentVolumeClaim"]["readOnly"] = json!(true);
    cluster.start_pod(&placed(
        scene,
        pod("reader", &[("data", reader, at("/data"))]),
    ))?;
    ensure!(cluster.inside("reader", "cat /data/note")? == "kept\nmore");
    let says = cluster.refused_inside("reader", "echo no > /data/note")?;
    ensure!(says.contains("Read-only file system"), "{says}");
    usage(cluster, scene)?;
    cluster.end_pod("reader")?;
    ensure!(fs::read_to_string(format!("{dir}/note"))? == "kept\nmore\n");
    forget(cluster, "local")
}

fn usage(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let raw = format!(
        "kubectl get --raw /api/v1/nodes/{}/proxy/stats/summary",
        scene.node
    );
    eventually("the claim's figures", PATIENCE, || {
        let summary: Value = serde_json::from_str(&cluster.sh(&raw)?)?;
        let pods = summary["pods"].as_array().into_iter().flatten();
        let mut volumes = pods.flat_map(|pod| pod["volume"].as_array().into_iter().flatten());
        let found = volumes.find(|volume| volume["pvcRef"]["name"] == "local");
        let bytes = found.and_then(|volume| volume["capacityBytes"].as_u64());
        ensure!(bytes.is_some_and(|bytes| bytes > 0), "{summary}");
        Ok(())
    })
}

fn host_path(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let dir = scene.dir("hosted")?;
    bind(
        cluster,
        "hosted",
        json!({"hostPath": {"path": dir}}),
        "ReadWriteMany",
    )?;
    for name in ["first", "second"] {
        let volume = (
            "data",
            claimed("hosted"),
            json!({"mountPath": "/data", "subPath": "own"}),
        );
        cluster.start_pod(&placed(scene, pod(name, &[volume])))?;
    }
    cluster.inside("first", "echo shared > /data/note")?;
    ensure!(cluster.inside("second", "cat /data/note")? == "shared");
    ensure!(fs::read_to_string(format!("{dir}/own/note"))? == "shared\n");
    cluster.end_pod("first")?;
    cluster.end_pod("second")?;
    forget(cluster, "hosted")
}

/// `ReadWriteOncePod`: the second pod gets it when the first is gone.
fn alone(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let dir = scene.dir("alone")?;
    bind(
        cluster,
        "alone",
        json!({"hostPath": {"path": dir}}),
        "ReadWriteOncePod",
    )?;
    let with = |name: &str| placed(scene, pod(name, &[("data", claimed("alone"), at("/data"))]));
    cluster.start_pod(&with("first"))?;
    cluster.apply(&with("second"))?;
    let message = "MountVolume.SetUp failed for volume \"alone\" : volume uses the ReadWriteOncePod access mode \
                   and is already in use by another pod";
    cluster.event("second", "FailedMount", message)?;
    cluster.end_pod("first")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/second --timeout=60s")?;
    cluster.end_pod("second")?;
    forget(cluster, "alone")
}

/// Volumes that can't be had, and the reasons.
fn refused(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let elsewhere = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": ["elsewhere"]},
    ]}]}});
    let here = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "Exists"},
    ]}]}});
    let dir = scene.dir("refused")?;
    for (volume, message) in [
        (
            json!({"local": {"path": dir}, "nodeAffinity": elsewhere}),
            "MountVolume.NodeAffinity check failed for volume \"refused\" : no matching NodeSelectorTerms".to_owned(),
        ),
        (
            json!({"local": {"path": format!("{dir}/none")}, "nodeAffinity": here}),
            format!("MountVolume.NewMounter initialization failed for volume \"refused\" : path \"{dir}/none\" does not exist"),
        ),
        (
            json!({"local": {"path": dir}, "nodeAffinity": here, "volumeMode": "Block"}),
            "volume data has volumeMode Block, but is specified in volumeMounts".to_owned(),
        ),
        (
            json!({"nfs": {"server": "192.0.2.1", "path": "/"}}),
            "no volume plugin matched".to_owned(),
        ),
    ] {
        bind(cluster, "refused", volume, "ReadWriteOnce")?;
        cluster.apply(&placed(scene, pod("refused", &[("data", claimed("refused"), at("/data"))])))?;
        cluster.event("refused", "FailedMount", &message)?;
        cluster.end_pod("refused")?;
        forget(cluster, "refused")?;
    }
    Ok(())
}

/// `volumeMode: Block`: the container has the device itself.
fn device(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let image = scene.outside.join("disk");
    fs::File::create(&image)?.set_len(1 << 20)?;
    let output = Command::new("losetup")
        .args(["--find", "--show"])
        .arg(&image)
        .output()?;
    ensure!(
        output.status.success(),
        "losetup: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let outcome = (|| {
        let here = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "Exists"},
        ]}]}});
        let volume = json!({"local": {"path": path}, "nodeAffinity": here, "volumeMode": "Block"});
        bind(cluster, "raw", volume, "ReadWriteOnce")?;
        let device = json!({"devicePath": "/dev/raw-disk"});
        cluster.start_pod(&placed(
            scene,
            pod("raw", &[("data", claimed("raw"), device)]),
        ))?;
        cluster.inside(
            "raw",
            "test -b /dev/raw-disk && printf block | dd of=/dev/raw-disk conv=fsync 2>/dev/null",
        )?;
        cluster.end_pod("raw")?;
        forget(cluster, "raw")
    })();
    Command::new("losetup").args(["--detach", &path]).status()?;
    outcome?;
    let written = fs::read(&image)?;
    ensure!(
        written.starts_with(b"block"),
        "what was written is in the file"
    );
    Ok(())
}
