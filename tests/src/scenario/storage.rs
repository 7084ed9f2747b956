//! Claims without a storage system: the default class makes local volumes, until a user takes it away.

use anyhow::{Result, ensure};

use crate::cluster::Cluster;

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "hollow:2"])?;
    cluster.sh("kubectl wait --for=create storageclass/local-path --timeout=30s")?;
    let classes = cluster.sh("kubectl get storageclass --no-headers")?;
    ensure!(classes.starts_with("local-path (default)"), "{classes}");

    cluster.sh("kubectl apply -f tests/testdata/claim.yaml")?;
    let bound = "--for=jsonpath='{.status.phase}'=Bound";
    cluster.sh(&format!("kubectl wait {bound} pvc/data --timeout=60s"))?;
    let told = cluster.sh("kubectl describe pvc data")?;
    for reason in ["ExternalProvisioning", "ProvisioningSucceeded"] {
        ensure!(told.contains(reason), "no {reason}:\n{told}");
    }
    let volumes = || -> Result<usize> { Ok(data.join("volumes").read_dir()?.count()) };
    ensure!(volumes()? == 1, "no directory was made");

    let volume = cluster.sh("kubectl get pvc data -o jsonpath='{.spec.volumeName}'")?;
    cluster.sh("kubectl delete -f tests/testdata/claim.yaml --timeout=60s")?;
    cluster.sh(&format!(
        "kubectl wait --for=delete pv/{volume} --timeout=60s"
    ))?;
    ensure!(volumes()? == 0, "the directory is still there");

    // Whoever takes the class away doesn't get it back.
    cluster.sh("kubectl delete storageclass local-path")?;
    cluster.stop()?;
    cluster.resume()?;
    cluster.sh("kubectl wait --for=condition=Ready nodes --all --timeout=60s")?;
    let classes = cluster.sh("kubectl get storageclass --no-headers 2>&1")?;
    ensure!(classes.contains("No resources found"), "{classes}");
    cluster.stop()
}
