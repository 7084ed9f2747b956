//! Every check, in the order of what fails soonest.
//!
//! Tests are built in the dev profile, which compiles three times as fast and checks overflows; only
//! what the lane runs is built for release.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::{build, etcd, install, kubectl, lane::Lane, python, run};

/// Options of `test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Only the end-to-end lane
    #[arg(long)]
    lane: bool,
    /// Only these scenarios of the lane
    #[arg(last = true)]
    scenarios: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<()> {
        install::ensure(&[install::BUILD, install::ETCD, install::NODE, install::TEST])?;
        let started = Instant::now();
        if !self.lane {
            step(started, "format", || {
                run::check(run::cargo().args(["fmt", "--all", "--check"]))
            })?;
            step(started, "lints", || {
                let mut clippy = run::cargo();
                clippy.args(["clippy", "--quiet", "--workspace", "--all-targets"]);
                clippy.args(["--features", "k8s-store/etcd"]);
                run::check(clippy.args(["--", "--deny", "warnings"]))
            })?;
            step(started, "tests", || {
                // The engine for etcd is tested against real servers: Debian 12's 3.4 and Debian 13's 3.5.
                let features = ["--features", "k8s-store/etcd"];
                let mut test = run::cargo();
                test.args(["test", "--quiet", "--workspace"]).args(features);
                run::check(&mut test)?;
                let mut test = run::cargo();
                test.args(["test", "--quiet", "--workspace", "--test", "etcd"]);
                run::check(test.args(features).env("ETCD", etcd::newer()?))
            })?;
        }
        step(started, "end-to-end lane", || {
            end_to_end(&self.scenarios, &[])
        })
    }
}

/// Runs the lane's scenarios against a real cluster in a network of its own.
pub(crate) fn end_to_end(scenarios: &[String], settings: &[(&str, String)]) -> Result<()> {
    run::check(
        run::cargo()
            .args(["build", "--quiet", "--release", "--package", "cluster"])
            .args(["--package", "k8s-tests", "--bins"]),
    )?;
    let images = build::images()?;
    let kubectl = kubectl::version(&build::release(), kubectl::NEWEST)?;
    let lane = Lane::open()?;
    let mut command = lane.command(&build::release().join("lane"));
    command.env("CLUSTER", build::release().join("cluster"));
    command
        .env("IMAGES", images)
        .env("HELM", kubectl::helm(&kubectl)?)
        .env("KUBECTL", kubectl)
        .env("PYTHON_CLIENT", python::client(&build::release())?)
        .env("ROOT", run::root());
    for minor in kubectl::OLDER {
        let kubectl = kubectl::version(&build::release(), minor)?;
        command.env(format!("KUBECTL_{minor}"), kubectl);
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    run::check(command.args(scenarios))
}

fn step(started: Instant, name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    run()?;
    println!(
        "== {name}: passed ({:.0} s since the start)",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
