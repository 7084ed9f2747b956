//! An agent that is killed while it mounts and unmounts: what its pods own is there afterwards, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{
    PATIENCE, Scene,
    claim::{bind, claimed, forget, placed},
    csi::{self, Driver},
    pod,
};
use crate::{cluster::Cluster, shell::eventually};

/// How often the agent is killed unless `KILLS` says otherwise.
const KILLS: usize = 6;
const PODS: usize = 4;

pub(super) fn run(cluster: &mut Cluster, scene: &Scene) -> Result<()> {
    let kills = std::env::var("KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let driver = Driver::start(scene, &["--max-volumes", "7"])?;
    csi::describe(
        cluster,
        json!({"attachRequired": false, "volumeLifecycleModes": ["Persistent", "Ephemeral"]}),
    )?;
    csi::registered(cluster, scene)?;
    cluster.sh("kubectl create secret generic keys --from-literal=key=s3cret")?;
    let volume = json!({"csi": {"driver": csi::NAME, "volumeHandle": "vol-3"}});
    bind(cluster, "shared", volume, "ReadWriteMany")?;
    for round in 0..kills {
        for index in 0..PODS {
            cluster.apply(&user(scene, index))?;
        }
        // Any moment: early ones in the midst of mounting, later ones of unmounting.
        let moment = Duration::from_millis((round as u64 * 379) % 1900);
        let listing = "kubectl delete pods -l lane=killed --wait=false --now";
        if round % 2 == 1 {
            cluster.sh("kubectl wait --for=condition=Ready pods -l lane=killed --timeout=90s")?;
            cluster.sh(listing)?;
        }
        std::thread::sleep(moment);
        cluster.kill()?;
        cluster.resume()?;
        if round % 2 == 0 {
            cluster.sh("kubectl wait --for=condition=Ready pods -l lane=killed --timeout=90s")?;
            for index in 0..PODS {
                check(cluster, index)?;
            }
            cluster.sh(listing)?;
        }
        cluster.sh("kubectl wait --for=delete pods -l lane=killed --timeout=90s")?;
        scene.check_nothing_mounted()?;
    }
    cluster.sh("kubectl delete secret keys")?;
    forget(cluster, "shared")?;
    drop(driver);
    eventually("nothing is left of the driver", PATIENCE, || {
        let staged = scene
            .kubelet
            .join("plugins/kubernetes.io/csi")
            .join(csi::NAME);
        let left = std::fs::read_dir(staged).map_or(0, Iterator::count);
        ensure!(left == 0, "{left} devices are staged");
        Ok(())
    })
}

/// A pod with a volume of each sort that mounts something.
fn user(scene: &Scene, index: usize) -> Value {
    let at = |path: &str| json!({ "mountPath": path });
    let part = json!({"mountPath": "/part", "subPath": format!("of-{index}")});
    let volumes = [
        ("shared", claimed("shared"), at("/shared")),
        ("shared", json!(null), part),
        (
            "inline",
            json!({"csi": {"driver": csi::NAME}}),
            at("/inline"),
        ),
        (
            "memory",
            json!({"emptyDir": {"medium": "Memory"}}),
            at("/memory"),
        ),
        (
            "secret",
            json!({"secret": {"secretName": "keys"}}),
            at("/secret"),
        ),
    ];
    let mut pod = placed(scene, pod(&format!("killed-{index}"), &volumes));
    pod["metadata"]["labels"]["lane"] = json!("killed");
    pod
}

fn check(cluster: &Cluster, index: usize) -> Result<()> {
    let line = format!(
        "echo x > /part/x && cat /shared/of-{index}/x /secret/key && echo y > /memory/y && echo z > /inline/z"
    );
    let printed = cluster.inside(&format!("killed-{index}"), &line)?;
    ensure!(printed == "x\ns3cret", "{printed}");
    Ok(())
}
