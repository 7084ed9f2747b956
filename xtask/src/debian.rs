//! Single programs out of packages of a newer Debian: laid out in a directory, installed nowhere.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{install, run};

/// A package file, by its place in every mirror's pool.
pub(crate) struct Package {
    pub(crate) path: &'static str,
    pub(crate) sha256: &'static str,
}

/// Downloads a package from the mirror that this machine uses, and lays out its files in a directory.
pub(crate) fn unpack(package: &Package, directory: &Path) -> Result<()> {
    install::ensure(&[install::TEST])?;
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let file = directory.join("package.deb");
    let url = format!("{}{}", mirror()?, package.path);
    let mut download = Command::new("curl");
    download.args([
        "--silent",
        "--show-error",
        "--fail",
        "--location",
        "--output",
    ]);
    run::check(download.arg(&file).arg(&url))?;
    let sum = run::output(Command::new("sha256sum").arg(&file))?;
    if sum.split_whitespace().next() != Some(package.sha256) {
        bail!("{url} is not what it was: {sum}");
    }
    run::check(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&file)
            .arg(directory),
    )?;
    fs::remove_file(&file).context("cannot remove the package")
}

/// Debian's archive among those that `apt-get` knows, with a slash at its end.
fn mirror() -> Result<String> {
    let uris =
        run::output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))?;
    let uri = uris.lines().find(|uri| uri.ends_with("/debian/"));
    uri.map(str::to_owned)
        .context("apt-get knows no archive of Debian")
}
