//! A cluster of hollow nodes: the same lifecycle without containers, and the memory store.

use anyhow::{Result, ensure};

use crate::cluster::Cluster;

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "hollow:3", "--store", "memory"])?;
    let nodes = cluster.sh("kubectl get nodes --no-headers")?;
    ensure!(nodes.lines().count() == 3, "{nodes}");
    ensure!(
        nodes.lines().all(|line| line.contains(" Ready ")),
        "{nodes}"
    );

    cluster.sh("kubectl create deployment idle --image=localhost/none:1 --replicas=30")?;
    cluster.sh("kubectl rollout status deployment/idle --timeout=60s")?;
    let spread = cluster.sh("kubectl get pods -o jsonpath='{range .items[*]}{.spec.nodeName}{\"\\n\"}{end}' | sort | uniq -c")?;
    ensure!(
        spread.lines().count() == 3,
        "30 pods are not on 3 nodes:\n{spread}"
    );

    drain(&cluster)?;

    // Restart policies other than Always end by themselves.
    cluster.sh("kubectl run once --image=localhost/none:1 --restart=Never")?;
    cluster.sh("kubectl wait --for=jsonpath='{.status.phase}'=Succeeded pod/once --timeout=30s")?;
    cluster.stop()?;
    Ok(())
}

/// A node is drained as fast as the budget of its pods allows: some pods have to wait for others elsewhere.
fn drain(cluster: &Cluster) -> Result<()> {
    cluster
        .sh("kubectl create poddisruptionbudget idle --selector=app=idle --min-available=80%")?;
    let counted = "jsonpath='{.status.disruptionsAllowed}'=6";
    cluster.sh(&format!(
        "kubectl wait --for={counted} pdb/idle --timeout=30s"
    ))?;
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    let drained = cluster.sh(&format!("kubectl drain {node} --timeout=120s 2>&1"))?;
    ensure!(
        drained.contains("Cannot evict pod as it would violate the pod's disruption budget."),
        "nothing had to wait:\n{drained}"
    );
    ensure!(
        drained.contains(&format!("node/{node} drained")),
        "{drained}"
    );
    let left = format!("kubectl get pods --field-selector=spec.nodeName={node} -o name");
    let left = cluster.sh(&left)?;
    ensure!(left.is_empty(), "{left}");
    cluster.sh(&format!("kubectl uncordon {node}"))?;
    cluster.sh("kubectl rollout status deployment/idle --timeout=60s")?;
    Ok(())
}
