//! Programs of other makers, over TLS: helm with the chart that it makes itself, the Python client, and
//! kube-rs' own client.

mod kube_rs;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::{cluster::Cluster, shell::setting, transcript};

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&directory.path().join("cluster"), &[])?;
    helm(&cluster, directory.path())?;
    python(&cluster)?;
    kube_rs::run(&cluster.kubeconfig())?;
    cluster.teardown()
}

/// The page on helm, word for word, in a directory where its chart may lie.
fn helm(cluster: &Cluster, directory: &Path) -> Result<()> {
    let page = std::fs::read_to_string(setting("ROOT")?.join("docs/helm.md"))?;
    let tools = setting("HELM")?;
    let tools = tools.parent().unwrap_or(&tools).display();
    let directory = directory.display();
    for mut step in transcript::steps(&page, "# helm")? {
        step.command = format!(
            "cd {directory}; export PATH={tools}:$PATH HOME={directory}\n{}",
            step.command
        );
        step.perform(cluster)?;
    }
    Ok(())
}

/// The Python program beside the other test data, which says "done" once all it expects has come.
fn python(cluster: &Cluster) -> Result<()> {
    let library = setting("PYTHON_CLIENT")?;
    let said = cluster.sh(&format!(
        "PYTHONPATH={} timeout 180 python3 tests/testdata/clients/program.py",
        library.display()
    ))?;
    ensure!(said.trim() == "done", "the Python program said {said}");
    Ok(())
}
