//! Away with all that earlier runs made, except the objects: what `cargo xtask down` does.

use std::{fs, net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, bail};
use k8s_kubelet::cri::CriRuntime;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    args::Args,
    layout::Layout,
    mount,
    node::{cni, containerd::Containerd, masquerade, route},
    worker,
};

/// How long a running cluster may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops a running cluster, then removes containers, sandboxes, rules, links, mounts, and the
/// cluster's own containerd.
pub(crate) async fn run(args: &Args, layout: &Layout) -> Result<()> {
    stop_cluster(layout).await?;
    let had_containers = layout.containerd().exists();
    if had_containers {
        let containerd = Containerd::new(layout);
        // Sandboxes have to be removed by the runtime, which gives their addresses and links back.
        fs::create_dir_all(layout.cni())?;
        containerd.ensure(&layout.cni())?;
        let runtime = CriRuntime::connect(containerd.socket()).await?;
        let node = worker::config(args, layout, Ipv4Addr::LOCALHOST);
        k8s_kubelet::teardown(&node, &runtime)
            .await
            .context("cannot remove the pods")?;
        drop(runtime);
        k8s_proxy::cleanup()
            .await
            .context("cannot remove the service rules")?;
        route::remove().context("cannot remove the routes to other nodes")?;
        masquerade::remove().context("cannot remove the pods' way out")?;
        containerd.remove()?;
        cni::remove(layout)?;
    }
    for directory in [layout.kubelet(), layout.cni()] {
        mount::detach_below(&directory)?;
        if directory.exists() {
            fs::remove_dir_all(&directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
    }
    Ok(())
}

/// Ends the process that runs on this data directory, if any.
async fn stop_cluster(layout: &Layout) -> Result<()> {
    let running = || {
        let pid: i32 = fs::read_to_string(layout.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let own = std::env::current_exe().ok()?;
        (program.file_name() == own.file_name()).then(|| Pid::from_raw(pid))?
    };
    let Some(pid) = running() else { return Ok(()) };
    kill_process(pid, Signal::TERM).context("cannot stop the running cluster")?;
    let stopped = async {
        while running() == Some(pid) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, stopped).await.is_err() {
        bail!(
            "the running cluster (process {}) does not stop",
            pid.as_raw_nonzero()
        );
    }
    Ok(())
}
