//! The pages on kubectl and on policies, word for word, with older kubectls and the newest.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::{cluster::Cluster, shell::setting, transcript};

/// The page on every command of `kubectl`.
pub(crate) fn run_kubectl() -> Result<()> {
    let versions = ["KUBECTL_28", "KUBECTL_32", "KUBECTL"];
    perform("docs/kubectl.md", "# kubectl", &versions)
}

/// The page on quotas, limits, pod security, disruption budgets and identities.
pub(crate) fn run_policy() -> Result<()> {
    perform("docs/policy.md", "# Policies", &["KUBECTL_32", "KUBECTL"])
}

/// All of a page with each version, on a new cluster of two hollow nodes.
fn perform(page: &str, heading: &str, versions: &[&str]) -> Result<()> {
    let text = fs::read_to_string(setting("ROOT")?.join(page))?;
    for version in versions {
        let kubectl = setting(version)?;
        let tools = kubectl.parent().context("kubectl lies in a directory")?;
        perform_with(&text, heading, tools).with_context(|| format!("{page} with {version}"))?;
    }
    Ok(())
}

fn perform_with(page: &str, heading: &str, tools: &Path) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let options = ["--node", "hollow:2", "--store", "memory"];
    let mut cluster = Cluster::start(&data, &options)?;
    for mut step in transcript::steps(page, heading)? {
        step.command = format!("PATH={}:$PATH\n{}", tools.display(), step.command);
        step.perform(&cluster)?;
    }
    cluster.stop()
}
