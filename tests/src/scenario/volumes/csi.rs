//! The whole life of a driver's volumes: registration, attach (by hand), stage, publish, growth, restarts of driver and
//! agent in the middle, unpublish, unstage.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    PATIENCE, Scene,
    claim::{bind, claimed, forget, patch, placed},
    pod,
};
use crate::{cluster::Cluster, shell::eventually};

pub(super) const NAME: &str = "plain.lane.example";

pub(super) fn run(cluster: &mut Cluster, scene: &Scene) -> Result<()> {
    let mut driver = Driver::start(scene, &["--max-volumes", "7"])?;
    describe(
        cluster,
        json!({
            "attachRequired": true,
            "podInfoOnMount": true,
            "fsGroupPolicy": "File",
            "volumeLifecycleModes": ["Persistent", "Ephemeral"],
            "tokenRequests": [{"audience": "vault"}],
        }),
    )?;
    registered(cluster, scene)?;
    attached(cluster, scene, &driver)?;
    driver.restart(scene)?;
    grown(cluster, &driver)?;
    ended_by_another_agent(cluster, scene, &mut driver)?;
    ephemeral(cluster, scene)?;
    block(cluster, scene)?;
    drop(driver);
    forgotten(cluster, scene)?;
    other_ways(cluster, scene)
}

/// A running driver.
pub(super) struct Driver {
    process: Child,
    options: Vec<String>,
    data: PathBuf,
}

impl Driver {
    pub(super) fn start(scene: &Scene, options: &[&str]) -> Result<Self> {
        let data = scene.outside.join("driver");
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        Ok(Self {
            process: spawn(scene, &data, &options)?,
            options,
            data,
        })
    }

    /// Killed, and started again.
    pub(super) fn restart(&mut self, scene: &Scene) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = spawn(scene, &self.data, &self.options)?;
        Ok(())
    }

    /// The calls of a kind about a volume, oldest first.
    fn calls(&self, call: &str, volume: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.data.join("calls"))?;
        let calls: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
        let mut calls = calls?;
        calls.retain(|line| line["call"] == call && line["volume"] == volume);
        Ok(calls)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

fn spawn(scene: &Scene, data: &PathBuf, options: &[String]) -> Result<Child> {
    let program = std::env::current_exe()?.with_file_name("csi-driver");
    let mut command = Command::new(&program);
    command
        .args(["--name", NAME])
        .arg("--kubelet")
        .arg(&scene.kubelet)
        .arg("--data")
        .arg(data);
    let child = command.args(options).spawn();
    child.with_context(|| format!("{} can't be started", program.display()))
}

/// Tells the API about the driver.
pub(super) fn describe(cluster: &Cluster, spec: Value) -> Result<()> {
    // Most of it can't be changed.
    cluster.sh(&format!(
        "kubectl delete csidriver {NAME} --ignore-not-found"
    ))?;
    cluster.apply(&json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
        "metadata": {"name": NAME}, "spec": spec,
    }))
}

pub(super) fn registered(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let node = &scene.node;
    eventually("the driver is published", PATIENCE, || {
        let text = cluster.sh(&format!("kubectl get csinode {node} -o json"))?;
        let known: Value = serde_json::from_str(&text)?;
        let expected = json!([{
            "name": NAME, "nodeID": format!("{NAME}-here"),
            "topologyKeys": [format!("topology.{NAME}/rack")],
            "allocatable": {"count": 7},
        }]);
        ensure!(known["spec"]["drivers"] == expected, "{known}");
        ensure!(
            known["metadata"]["ownerReferences"][0]["name"] == **node,
            "{known}"
        );
        Ok(())
    })?;
    let text = cluster.sh(&format!("kubectl get node {node} -o json"))?;
    let known: Value = serde_json::from_str(&text)?;
    ensure!(
        known["metadata"]["labels"][format!("topology.{NAME}/rack")] == "r1",
        "{known}"
    );
    let ids = &known["metadata"]["annotations"]["csi.volume.kubernetes.io/nodeid"];
    ensure!(
        ids == &json!(format!("{{\"{NAME}\":\"{NAME}-here\"}}")),
        "{ids}"
    );
    Ok(())
}

/// A volume that somebody else attaches.
fn attached(cluster: &Cluster, scene: &Scene, driver: &Driver) -> Result<()> {
    cluster.sh(
        "kubectl create secret generic stage --from-literal=user=me; \
                kubectl create secret generic publish --from-literal=word=pass",
    )?;
    let secret = |name: &str| json!({"name": name, "namespace": "default"});
    let volume = json!({
        "mountOptions": ["noatime"],
        "csi": {
            "driver": NAME, "volumeHandle": "vol-1", "fsType": "ext4",
            "volumeAttributes": {"tier": "fast"},
            "nodeStageSecretRef": secret("stage"), "nodePublishSecretRef": secret("publish"),
        },
    });
    bind(cluster, "disk", volume, "ReadWriteOnce")?;
    let mut user = placed(
        scene,
        pod(
            "user",
            &[("data", claimed("disk"), json!({"mountPath": "/data"}))],
        ),
    );
    user["spec"]["securityContext"] = json!({"fsGroup": 4000});
    cluster.apply(&user)?;
    let node = &scene.node;
    eventually("the node says that the volume is in use", PATIENCE, || {
        let used = cluster.sh(&format!(
            "kubectl get node {node} -o jsonpath='{{.status.volumesInUse}}'"
        ))?;
        ensure!(
            used.contains(&format!("kubernetes.io/csi/{NAME}^vol-1")),
            "{used}"
        );
        Ok(())
    })?;
    attach(cluster, scene, "vol-1")?;
    cluster
        .sh("kubectl wait --for=condition=Ready pod/user --timeout=60s")
        .with_context(|| cluster.sh("kubectl describe pod user").unwrap_or_default())?;
    cluster.inside("user", "echo kept > /data/note")?;
    ensure!(cluster.inside("user", "stat -c %g /data")? == "4000");

    let stage = driver.calls("stage", "vol-1")?;
    ensure!(stage.len() == 1, "{stage:?}");
    let stage = &stage[0];
    ensure!(stage["secrets"] == json!({"user": "me"}), "{stage}");
    ensure!(stage["attached"] == json!({"device": "d1"}), "{stage}");
    ensure!(stage["context"] == json!({"tier": "fast"}), "{stage}");
    let capability = json!({"mode": "SINGLE_NODE_MULTI_WRITER", "fsType": "ext4", "flags": ["noatime"], "group": ""});
    ensure!(stage["capability"] == capability, "{stage}");
    let publish = &driver.calls("publish", "vol-1")?[0];
    ensure!(publish["secrets"] == json!({"word": "pass"}), "{publish}");
    let context = &publish["context"];
    ensure!(
        context["csi.storage.k8s.io/pod.name"] == "user" && context["tier"] == "fast",
        "{publish}"
    );
    ensure!(
        context["csi.storage.k8s.io/ephemeral"] == "false",
        "{publish}"
    );
    let tokens = context["csi.storage.k8s.io/serviceAccount.tokens"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        serde_json::from_str::<Value>(tokens)?["vault"]["token"].is_string(),
        "{publish}"
    );

    // A second pod shares what is staged.
    cluster.start_pod(&placed(
        scene,
        pod(
            "sharer",
            &[("data", claimed("disk"), json!({"mountPath": "/data"}))],
        ),
    ))?;
    ensure!(cluster.inside("sharer", "cat /data/note")? == "kept");
    ensure!(driver.calls("stage", "vol-1")?.len() == 1, "staged once");
    cluster.end_pod("sharer")?;
    ensure!(driver.calls("unstage", "vol-1")?.is_empty(), "still in use");
    Ok(())
}

/// What an attacher writes, once a controller asks it to; the object's name is the sum of what it is about.
fn attach(cluster: &Cluster, scene: &Scene, handle: &str) -> Result<()> {
    let node = &scene.node;
    let sum = cluster.sh(&format!(
        "printf '{handle}{NAME}{node}' | sha256sum | cut -d' ' -f1"
    ))?;
    let name = format!("csi-{}", sum.trim());
    let attached = json!({"status": {"attached": true, "attachmentMetadata": {"device": "d1"}}});
    eventually("the volume is to be attached", PATIENCE, || {
        patch(
            cluster,
            "volumeattachment",
            &name,
            "--subresource=status",
            &attached,
        )
    })
}

/// A larger volume is told to the driver, then the claim.
fn grown(cluster: &Cluster, driver: &Driver) -> Result<()> {
    let pending =
        json!([{"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": null}]);
    patch(
        cluster,
        "pvc",
        "disk",
        "--subresource=status",
        &json!({"status": {"conditions": pending}}),
    )?;
    patch(
        cluster,
        "pv",
        "disk",
        "",
        &json!({"spec": {"capacity": {"storage": "2Mi"}}}),
    )?;
    eventually("the claim has grown", PATIENCE, || {
        let status = cluster.sh(
            "kubectl get pvc disk -o jsonpath='{.status.capacity.storage} {.status.conditions}'",
        )?;
        ensure!(status.trim() == "2Mi", "{status}");
        Ok(())
    })?;
    cluster.event(
        "user",
        "FileSystemResizeSuccessful",
        "MountVolume.NodeExpandVolume succeeded for volume \"disk\"",
    )?;
    let expanded = driver.calls("expand", "vol-1")?;
    ensure!(
        expanded.len() == 1 && expanded[0]["size"] == 2 << 20,
        "{expanded:?}"
    );
    Ok(())
}

/// An agent that knows the volume from the disk alone takes it down, with a driver that came back meanwhile.
fn ended_by_another_agent(cluster: &mut Cluster, scene: &Scene, driver: &mut Driver) -> Result<()> {
    let node = &scene.node;
    let summary = cluster.sh(&format!(
        "kubectl get --raw /api/v1/nodes/{node}/proxy/stats/summary"
    ))?;
    let summary: Value = serde_json::from_str(&summary)?;
    let pods = summary["pods"].as_array().into_iter().flatten();
    let mut volumes = pods.flat_map(|pod| pod["volume"].as_array().into_iter().flatten());
    let found = volumes
        .find(|volume| volume["pvcRef"]["name"] == "disk")
        .context("the claim's figures")?;
    ensure!(
        found["capacityBytes"] == 2 << 20 && found["usedBytes"] == 5,
        "{found}"
    );

    let before = scene.mounts()?;
    cluster.restart_under("user", || driver.restart(scene))?;
    ensure!(cluster.inside("user", "cat /data/note")? == "kept");
    ensure!(
        scene.mounts()? == before,
        "{before:?} became {:?}",
        scene.mounts()?
    );
    ensure!(
        driver.calls("publish", "vol-1")?.len() == 2,
        "nothing is published again"
    );
    cluster.end_pod("user")?;
    eventually("the volume is taken from the node", PATIENCE, || {
        ensure!(driver.calls("unpublish", "vol-1")?.len() == 2);
        ensure!(driver.calls("unstage", "vol-1")?.len() == 1);
        let used = cluster.sh(&format!(
            "kubectl get node {node} -o jsonpath='{{.status.volumesInUse}}'"
        ))?;
        ensure!(used.is_empty(), "{used}");
        Ok(())
    })?;
    let kept = scene.outside.join("driver/volumes/vol-1/files/note");
    ensure!(fs::read_to_string(kept)? == "kept\n");
    cluster.sh(
        "kubectl delete volumeattachments --all --wait=false; kubectl delete secret stage publish",
    )?;
    forget(cluster, "disk")
}

/// A volume that lives and ends with its pod.
fn ephemeral(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let inline = json!({"csi": {"driver": NAME, "volumeAttributes": {"size": "small"}}});
    cluster.start_pod(&pod(
        "inline",
        &[("data", inline, json!({"mountPath": "/data"}))],
    ))?;
    let context: Value = serde_json::from_str(&cluster.inside("inline", "cat /data/context")?)?;
    ensure!(
        context["csi.storage.k8s.io/ephemeral"] == "true" && context["size"] == "small",
        "{context}"
    );
    ensure!(
        context["csi.storage.k8s.io/pod.name"] == "inline",
        "{context}"
    );
    let kept =
        || -> Result<usize> { Ok(fs::read_dir(scene.outside.join("driver/volumes"))?.count()) };
    let before = kept()?;
    cluster.end_pod("inline")?;
    eventually("it ended with its pod", PATIENCE, || {
        ensure!(kept()? == before - 1);
        Ok(())
    })
}

/// `volumeMode: Block` through the driver.
fn block(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let volume = json!({"volumeMode": "Block", "csi": {"driver": NAME, "volumeHandle": "raw-1"}});
    bind(cluster, "rawdisk", volume, "ReadWriteOnce")?;
    let device = json!({"devicePath": "/dev/raw-disk"});
    cluster.apply(&placed(
        scene,
        pod("rawuser", &[("data", claimed("rawdisk"), device)]),
    ))?;
    attach(cluster, scene, "raw-1")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/rawuser --timeout=60s")?;
    cluster.inside(
        "rawuser",
        "test -b /dev/raw-disk && printf block | dd of=/dev/raw-disk conv=fsync 2>/dev/null",
    )?;
    cluster.end_pod("rawuser")?;
    let image = scene.outside.join("driver/volumes/raw-1/image");
    eventually("what was written is in the file", PATIENCE, || {
        ensure!(fs::read(&image)?.starts_with(b"block"));
        Ok(())
    })?;
    cluster.sh("kubectl delete volumeattachments --all --wait=false")?;
    forget(cluster, "rawdisk")
}

/// A driver that goes is no longer published, and its volumes can't be had.
fn forgotten(cluster: &Cluster, scene: &Scene) -> Result<()> {
    eventually("the driver is gone", PATIENCE, || {
        let drivers = cluster.sh(&format!(
            "kubectl get csinode {} -o jsonpath='{{.spec.drivers}}'",
            scene.node
        ))?;
        ensure!(["", "null", "[]"].contains(&drivers.as_str()), "{drivers}");
        Ok(())
    })?;
    let inline = json!({"csi": {"driver": NAME}});
    cluster.apply(&pod(
        "orphan",
        &[("data", inline, json!({"mountPath": "/data"}))],
    ))?;
    let message = format!("driver name {NAME} not found in the list of registered CSI drivers");
    cluster.event("orphan", "FailedMount", &message)?;
    cluster.end_pod("orphan")
}

/// A driver that stages nothing, is attached by nobody, and gives files to groups itself.
fn other_ways(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let driver = Driver::start(
        scene,
        &["--max-volumes", "7", "--no-stage", "--mount-group"],
    )?;
    describe(
        cluster,
        json!({"attachRequired": false, "fsGroupPolicy": "File"}),
    )?;
    registered(cluster, scene)?;
    let volume = json!({"csi": {"driver": NAME, "volumeHandle": "vol-2"}});
    bind(cluster, "simple", volume, "ReadWriteMany")?;
    let mut user = placed(
        scene,
        pod(
            "simple",
            &[("data", claimed("simple"), json!({"mountPath": "/data"}))],
        ),
    );
    user["spec"]["securityContext"] = json!({"fsGroup": 5000});
    cluster.start_pod(&user)?;
    ensure!(cluster.inside("simple", "stat -c %g /data")? == "5000");
    let publish = &driver.calls("publish", "vol-2")?[0];
    ensure!(publish["capability"]["group"] == "5000", "{publish}");
    ensure!(
        publish["capability"]["mode"] == "MULTI_NODE_MULTI_WRITER",
        "{publish}"
    );
    ensure!(driver.calls("stage", "vol-2")?.is_empty());
    let used = cluster.sh(&format!(
        "kubectl get node {} -o jsonpath='{{.status.volumesInUse}}'",
        scene.node
    ))?;
    ensure!(used.is_empty(), "{used}");
    // Inline volumes are not among what it does.
    let inline = json!({"csi": {"driver": NAME}});
    cluster.apply(&pod(
        "inline",
        &[("data", inline, json!({"mountPath": "/data"}))],
    ))?;
    let message = format!(
        "volume mode \"Ephemeral\" not supported by driver {NAME} (only supports [\"Persistent\"])"
    );
    cluster.event("inline", "FailedMount", &message)?;
    cluster.end_pod("inline")?;
    cluster.end_pod("simple")?;
    forget(cluster, "simple")
}
