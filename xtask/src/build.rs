//! What cargo makes: the cluster, the benchmarks, and the images' static programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{
    image::{self, Image},
    install, run,
};

/// Where release programs land.
pub(crate) fn release() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| run::root().join("target"), PathBuf::from);
    run::root().join(target).join("release")
}

/// Builds the cluster's program and gives its path.
pub(crate) fn cluster() -> Result<PathBuf> {
    install::ensure(&[install::BUILD])?;
    run::check(run::cargo().args(["build", "--release", "--package", "cluster"]))?;
    Ok(release().join("cluster"))
}

/// Builds and packs the images; gives their directory, which is the cluster's default `--image-dir`.
pub(crate) fn images() -> Result<PathBuf> {
    let directory = release().join("images");
    fs::create_dir_all(&directory)?;
    let pause = static_program("pause", &directory)?;
    let kuard = static_program("kuard", &directory)?;
    let images = [
        ("pause.tar", "localhost/pause:1", &pause, [].as_slice()),
        (
            "kuard-blue.tar",
            "localhost/kuard:blue",
            &kuard,
            &["KUARD_COLOUR=blue"],
        ),
        (
            "kuard-green.tar",
            "localhost/kuard:green",
            &kuard,
            &["KUARD_COLOUR=green"],
        ),
    ];
    for (archive, name, program, env) in images {
        image::pack(&Image { name, program, env }, &directory.join(archive))?;
    }
    Ok(directory)
}

/// A program that needs no file but itself. The flag reaches the last link only, so that the
/// dependencies are the ones already built.
fn static_program(name: &str, directory: &Path) -> Result<PathBuf> {
    run::check(
        run::cargo()
            .args([
                "rustc",
                "--quiet",
                "--release",
                "--package",
                "kuard",
                "--bin",
                name,
            ])
            .args(["--", "-C", "target-feature=+crt-static"]),
    )?;
    let kept = directory.join(name);
    fs::copy(release().join(name), &kept)?;
    Ok(kept)
}
