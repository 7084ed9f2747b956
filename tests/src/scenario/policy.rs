//! The page on policies, word for word, with an older kubectl and the newest.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{cluster::Cluster, shell::setting, transcript};

const PAGE: &str = "docs/policy.md";
const HEADING: &str = "# Policies";

pub(crate) fn run() -> Result<()> {
    for kubectl in [setting("KUBECTL_32")?, setting("KUBECTL")?] {
        let tools = kubectl.parent().context("kubectl lies in a directory")?;
        perform(tools)?;
    }
    Ok(())
}

/// All of the page on a new cluster of two hollow nodes.
fn perform(tools: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let options = ["--node", "hollow:2", "--store", "memory"];
    let mut cluster = Cluster::start(&data, &options)?;
    let page = fs::read_to_string(setting("ROOT")?.join(PAGE))?;
    for mut step in transcript::steps(&page, HEADING)? {
        step.command = format!("PATH={}:$PATH\n{}", tools.display(), step.command);
        step.perform(&cluster)?;
    }
    cluster.stop()
}
