//! Every kind of volume and its fields, as containers see them; claims on the node's own paths and on a storage driver;
//! what an agent leaves when it is killed; what is refused.
//!
//! Containers get a shell by mounting the machine's own.

mod claim;
mod csi;
mod hostile;
mod kill;
mod kind;
mod part;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{cluster::Cluster, shell::eventually};

const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &[])?;
    let scene = Scene {
        kubelet: data.join("kubelet"),
        outside: directory.path().to_owned(),
        node: cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?,
    };
    eventually("the default account", PATIENCE, || {
        cluster.sh("kubectl get serviceaccount default").map(drop)
    })?;
    kind::run(&cluster, &scene)?;
    part::run(&cluster, &scene)?;
    hostile::run(&cluster, &scene)?;
    claim::run(&mut cluster, &scene)?;
    csi::run(&mut cluster, &scene)?;
    kill::run(&mut cluster, &scene)?;
    cluster.sh("kubectl delete pods --all --wait --timeout=120s")?;
    scene.check_nothing_mounted()?;
    cluster.teardown()
}

/// Where things are.
struct Scene {
    /// The node agent's root directory.
    kubelet: std::path::PathBuf,
    /// A directory of the test's own on the node.
    outside: std::path::PathBuf,
    node: String,
}

impl Scene {
    /// Makes a directory on the node.
    fn dir(&self, name: &str) -> Result<String> {
        let path = self.outside.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path.display().to_string())
    }

    /// What is mounted for pods and drivers.
    fn mounts(&self) -> Result<Vec<String>> {
        let table = std::fs::read_to_string("/proc/self/mountinfo")?;
        let points = table.lines().filter_map(|line| line.split(' ').nth(4));
        let below = |point: &&str| {
            let point = Path::new(point);
            point.starts_with(&self.kubelet) && point != self.kubelet
        };
        Ok(points.filter(below).map(str::to_owned).collect())
    }

    fn check_nothing_mounted(&self) -> Result<()> {
        eventually("nothing is left mounted", PATIENCE, || {
            let mounts = self.mounts()?;
            ensure!(mounts.is_empty(), "{mounts:#?}");
            let pods = std::fs::read_dir(self.kubelet.join("pods"))?.count();
            ensure!(pods == 0, "{pods} directories of pods");
            Ok(())
        })
    }
}

/// A pod with one container that has a shell, and these volumes: the volume's source and the mount's fields.
fn pod(name: &str, volumes: &[(&str, Value, Value)]) -> Value {
    let host = [
        "usr:/usr",
        "usr/bin:/bin",
        "usr/lib:/lib",
        "usr/lib64:/lib64",
    ];
    let (mut sources, mut mounts) = (Vec::new(), Vec::new());
    for (index, pair) in host.iter().enumerate() {
        let (from, to) = pair.split_once(':').unwrap_or_default();
        let volume = format!("machine-{index}");
        sources.push(json!({"name": volume, "hostPath": {"path": format!("/{from}")}}));
        mounts.push(json!({"name": volume, "mountPath": to, "readOnly": true}));
    }
    let (mut devices, own) = (Vec::new(), volumes);
    for (volume, source, mount) in own {
        if !source.is_null() {
            let mut source = source.clone();
            source["name"] = json!(volume);
            sources.push(source);
        }
        let mut mount = mount.clone();
        mount["name"] = json!(volume);
        match mount.get("devicePath").is_some() {
            true => devices.push(mount),
            false => mounts.push(mount),
        }
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main",
                "image": "localhost/kuard:blue",
                "command": ["/kuard", "wait"],
                "env": [{"name": "PATH", "value": "/bin:/usr/bin:/usr/sbin"}],
                "volumeMounts": mounts,
                "volumeDevices": devices,
            }],
            "volumes": sources,
        },
    })
}

impl Cluster {
    /// Makes or changes objects.
    fn apply(&self, object: &Value) -> Result<()> {
        self.sh(&format!("kubectl apply -f - <<'END'\n{object}\nEND"))
            .map(drop)
    }

    fn start_pod(&self, pod: &Value) -> Result<()> {
        self.apply(pod)?;
        let name = &pod["metadata"]["name"];
        self.sh(&format!(
            "kubectl wait --for=condition=Ready pod/{name} --timeout=60s"
        ))
        .map(drop)
        .with_context(|| {
            self.sh(&format!("kubectl describe pod {name}"))
                .unwrap_or_default()
        })
    }

    fn end_pod(&self, name: &str) -> Result<()> {
        self.sh(&format!("kubectl delete pod {name} --wait --timeout=60s"))
            .map(drop)
    }

    /// Kills the agent, with all else that is in its process, and starts it again under a running pod.
    fn restart_under(&mut self, pod: &str, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        self.kill()?;
        meanwhile()?;
        self.resume()?;
        eventually("the agent knows the pod", PATIENCE, || {
            self.inside(pod, "true").map(drop)
        })
    }

    /// What a line of shell in the pod's container prints.
    fn inside(&self, pod: &str, line: &str) -> Result<String> {
        let printed = self.sh(&format!(
            "kubectl exec {pod} -c main -- /bin/sh -c {}",
            quoted(line)
        ))?;
        Ok(printed.trim_end().to_owned())
    }

    /// What a line of shell that has to fail in the pod's container complains about.
    fn refused_inside(&self, pod: &str, line: &str) -> Result<String> {
        let line = format!("kubectl exec {pod} -c main -- /bin/sh -c {}", quoted(line));
        self.bash(&line)?.expect_failure(&line)
    }

    /// Waits for an event of a pod.
    fn event(&self, pod: &str, reason: &str, message: &str) -> Result<()> {
        let ask = format!(
            "kubectl get events --field-selector involvedObject.name={pod},reason={reason} \
             -o jsonpath='{{range .items[*]}}{{.message}}{{\"\\n\"}}{{end}}'"
        );
        eventually(&format!("{reason} of {pod}"), PATIENCE, || {
            let found = self.sh(&ask)?;
            ensure!(found.contains(message), "no {message:?} in {found:?}");
            Ok(())
        })
    }
}

/// As one word of shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
