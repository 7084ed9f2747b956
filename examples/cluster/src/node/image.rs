//! Image archives, loaded into containerd at start. There is no registry.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Where containerd keeps what CRI sees.
const NAMESPACE: &str = "k8s.io";

/// Imports every archive of the directory whose image containerd lacks, or has in another version;
/// gives the names of those imported.
pub(crate) fn load(socket: &Path, directory: &Path) -> Result<Vec<String>> {
    let mut archives: Vec<PathBuf> = fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    archives.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
    archives.sort();

    let present = present(socket)?;
    let mut imported = Vec::new();
    for archive in archives {
        let (name, digest) = describe(&archive)?;
        if present.get(&name) != Some(&digest) {
            ctr(socket, &["images", "import", &archive.to_string_lossy()])?;
            imported.push(name);
        }
    }
    Ok(imported)
}

/// The image's name and its manifest's digest, as the archive's index tells.
fn describe(archive: &Path) -> Result<(String, String)> {
    let mut tar = tar::Archive::new(File::open(archive)?);
    for entry in tar.entries()? {
        let entry = entry?;
        if entry.path()?.as_os_str() != "index.json" {
            continue;
        }
        let index: Value = serde_json::from_reader(entry)?;
        let manifest = &index["manifests"][0];
        let name = manifest["annotations"]["io.containerd.image.name"].as_str();
        if let (Some(name), Some(digest)) = (name, manifest["digest"].as_str()) {
            return Ok((name.to_owned(), digest.to_owned()));
        }
    }
    bail!(
        "{} is no OCI archive that names its image",
        archive.display()
    )
}

/// Name to digest of all images that containerd has.
fn present(socket: &Path) -> Result<BTreeMap<String, String>> {
    let listing = ctr(socket, &["images", "list"])?;
    let rows = listing.lines().skip(1).map(|line| line.split_whitespace());
    Ok(rows
        .filter_map(|mut columns| Some((columns.next()?.to_owned(), columns.nth(1)?.to_owned())))
        .collect())
}

fn ctr(socket: &Path, words: &[&str]) -> Result<String> {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(socket)
        .args(["--namespace", NAMESPACE])
        .args(words)
        .output()
        .context("ctr is not installed")?;
    if !output.status.success() {
        bail!(
            "ctr {}: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
