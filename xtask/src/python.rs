//! The Python client of Kubernetes, which is to find nothing missing here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::wheel;

/// The one for the version of Kubernetes that is served.
const VERSION: &str = "37.0.2";

/// A directory for `PYTHONPATH`, filled once in the build directory.
pub(crate) fn client(release: &Path) -> Result<PathBuf> {
    let directory = release
        .join("tools")
        .join(format!("python-kubernetes-{VERSION}"));
    if directory.exists() {
        return Ok(directory);
    }
    let unfinished = directory.with_extension("tmp");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    wheel::install(&format!("kubernetes=={VERSION}"), &unfinished)?;
    fs::rename(&unfinished, &directory)?;
    Ok(directory)
}
