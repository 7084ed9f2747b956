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

    // Restart policies other than Always end by themselves.
    cluster.sh("kubectl run once --image=localhost/none:1 --restart=Never")?;
    cluster.sh("kubectl wait --for=jsonpath='{.status.phase}'=Succeeded pod/once --timeout=30s")?;
    cluster.stop()?;
    Ok(())
}
