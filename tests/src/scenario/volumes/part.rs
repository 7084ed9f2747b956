//! Parts of volumes, and what leads out of them.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Result, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use super::{Scene, pod};
use crate::cluster::Cluster;

pub(super) fn run(cluster: &Cluster, scene: &Scene) -> Result<()> {
    parts(cluster, scene)?;
    swapped(cluster, scene)
}

/// `subPath` and `subPathExpr`: directories that are made, files, variables.
fn parts(cluster: &Cluster, scene: &Scene) -> Result<()> {
    cluster.sh("kubectl create configmap settings --from-literal=a=one")?;
    let dir = scene.dir("parts")?;
    let host = json!({"hostPath": {"path": dir}});
    let mut pod_with = pod(
        "parts",
        &[
            (
                "host",
                host.clone(),
                json!({"mountPath": "/part", "subPath": "deep/part"}),
            ),
            (
                "host",
                json!(null),
                json!({"mountPath": "/named", "subPathExpr": "of/$(NAME)"}),
            ),
            (
                "config",
                json!({"configMap": {"name": "settings"}}),
                json!({"mountPath": "/a.txt", "subPath": "a"}),
            ),
        ],
    );
    let name = json!({"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    if let Some(env) = pod_with["spec"]["containers"][0]["env"].as_array_mut() {
        env.push(name);
    }
    cluster.start_pod(&pod_with)?;
    let printed = cluster.inside("parts", "echo 1 > /part/x; echo 2 > /named/y; cat /a.txt")?;
    ensure!(printed == "one", "{printed}");
    ensure!(fs::read_to_string(format!("{dir}/deep/part/x"))? == "1\n");
    ensure!(fs::read_to_string(format!("{dir}/of/parts/y"))? == "2\n");
    cluster.end_pod("parts")?;
    cluster.sh("kubectl delete configmap settings")?;

    // A link out of the volume, and a variable that isn't set.
    std::os::unix::fs::symlink("/etc", format!("{dir}/out"))?;
    for (mount, why) in [
        (
            json!({"subPath": "out"}),
            "failed to prepare subPath for volumeMount \"host\" of container \"main\": subpath",
        ),
        (json!({"subPath": "out/new"}), "not within volume path"),
        (
            json!({"subPathExpr": "$(NOBODY)"}),
            "missing value for \"NOBODY\"",
        ),
    ] {
        let mut mount = mount;
        mount["mountPath"] = json!("/v");
        cluster.apply(&pod("bad", &[("host", host.clone(), mount)]))?;
        cluster.event("bad", "Failed", why)?;
        cluster.end_pod("bad")?;
    }
    Ok(())
}

const PODS: [&str; 3] = ["raced-0", "raced-1", "raced-2"];

/// A directory of the pod's that is a link to the outside every other moment: the container sees the directory or doesn't
/// start, and nothing is made outside.
fn swapped(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let (volume, outside) = (scene.dir("swapped")?, scene.dir("forbidden")?);
    let at = |name: &str| Path::new(&volume).join(name);
    fs::create_dir(at("real"))?;
    fs::write(at("real/inside"), "x")?;
    std::os::unix::fs::symlink(&outside, at("link"))?;
    fs::write(format!("{outside}/secret"), "x")?;
    let is_over = AtomicBool::new(false);
    let swap = || renameat_with(CWD, at("real"), CWD, at("link"), RenameFlags::EXCHANGE);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| -> Result<()> {
            while !is_over.load(Ordering::Relaxed) {
                swap()?;
            }
            Ok(())
        });
        let begun = PODS.iter().try_for_each(|name| {
            let host = json!({"hostPath": {"path": volume}});
            let whole = json!({"mountPath": "/whole", "subPath": "real"});
            let made = json!({"mountPath": "/made", "subPath": format!("real/of-{name}")});
            cluster.apply(&pod(
                name,
                &[("host", host, whole), ("host", json!(null), made)],
            ))
        });
        // They are tried again and again meanwhile, some with success.
        std::thread::sleep(Duration::from_secs(5));
        is_over.store(true, Ordering::Relaxed);
        let swapped = swapper.join();
        begun.and(swapped.map_err(|_| anyhow::anyhow!("the swapper panicked"))?)
    })?;
    if at("real").is_symlink() {
        swap()?;
    }
    for name in PODS {
        cluster.sh(&format!(
            "kubectl wait --for=condition=Ready pod/{name} --timeout=60s"
        ))?;
        let seen = cluster.inside(name, "ls /whole")?;
        ensure!(
            seen.contains("inside") && !seen.contains("secret"),
            "{seen}"
        );
        cluster.end_pod(name)?;
    }
    let outside: Vec<_> = fs::read_dir(&outside)?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    ensure!(outside == ["secret"], "{outside:?}");
    Ok(())
}
