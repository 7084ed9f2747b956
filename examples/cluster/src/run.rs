//! A cluster's life: start every part, say so, wait for a signal, stop.

use std::{
    fs,
    io::Write,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::{JoinSet, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Args, NodeKind, Part},
    component,
    control_plane::ControlPlane,
    layout::Layout,
    network,
    node::{cni, containerd::Containerd, image},
    progress::Progress,
    ready, worker,
};

/// Runs until SIGTERM or SIGINT. Containers outlive it.
pub(crate) async fn run(args: &Args, layout: &Layout) -> Result<()> {
    let progress = Progress::start();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cancel = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let started = tokio::select! {
        started = start(args, layout, &progress, &cancel, &mut tasks) => Some(started?),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    if let Some(plane) = started {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        progress.step("stopping; containers run on");
        cancel.cancel();
        while tasks.join_next().await.is_some() {}
        plane.server.stop().await;
        if let Some(log) = plane.audit {
            log.close().await;
        }
    }
    let _ = fs::remove_file(layout.pid_file());
    Ok(())
}

async fn start(
    args: &Args,
    layout: &Layout,
    progress: &Progress,
    cancel: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<ControlPlane> {
    let is_real = args.node == NodeKind::Cri;
    ensure!(
        !is_real || rustix::process::geteuid().is_root(),
        "a real node needs root; as another user, run simulated ones: --node hollow"
    );
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, args.port))
        .await
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    let advertise = network::advertise(args.advertise_address)?;
    // The runtime comes up while the control plane does.
    let runtime = is_real.then(|| {
        let (args, layout) = (args.clone(), layout.clone());
        spawn_blocking(move || prepare_runtime(&args, &layout))
    });
    let plane = ControlPlane::start(args, layout, listener, advertise, cancel, tasks).await?;
    fs::write(layout.pid_file(), std::process::id().to_string())?;
    progress.step(&format!("API server on port {}", args.port));
    component::run(&plane, args, layout, tasks)?;

    let mut nodes = 0;
    match args.node {
        NodeKind::Cri => {
            let (socket, images) = runtime.context("a real node has a runtime")?.await??;
            progress.step(&format!("containerd at {}", socket.display()));
            for image in images {
                progress.step(&format!("loaded {image}"));
            }
            if args.with(Part::Kubelet) {
                let levels = &args.eviction_hard;
                worker::run_agent(&plane, layout, advertise, socket, levels, tasks).await?;
                nodes = 1;
            }
            worker::run_services(&plane, args, advertise, tasks)?;
        }
        NodeKind::Hollow(count) if args.with(Part::Kubelet) => {
            worker::run_hollow(&plane, layout, advertise, count, tasks).await?;
            progress.step(&format!(
                "{count} hollow nodes, whose containers are simulated"
            ));
            nodes = count;
        }
        NodeKind::Hollow(_) | NodeKind::None => {}
    }
    let kubeconfig = args
        .kubeconfig
        .clone()
        .unwrap_or_else(|| layout.kubeconfig());
    let text = plane
        .pki
        .kubeconfig(&format!("https://127.0.0.1:{}", args.port));
    write_private(&kubeconfig, &text)
        .with_context(|| format!("cannot write {}", kubeconfig.display()))?;
    ready::nodes(&plane.hub, nodes).await;
    if args.with(Part::Controllers) {
        ready::default_account(&plane.hub).await;
    }
    progress.ready();
    println!("export KUBECONFIG={}", kubeconfig.display());
    println!("kubectl get nodes");
    Ok(plane)
}

/// Brings the container runtime up, with its images; gives its socket and what was loaded.
fn prepare_runtime(args: &Args, layout: &Layout) -> Result<(PathBuf, Vec<String>)> {
    let socket = match &args.containerd_socket {
        Some(socket) => {
            std::os::unix::net::UnixStream::connect(socket)
                .with_context(|| format!("no containerd listens at {}", socket.display()))?;
            socket.clone()
        }
        None => {
            let containerd = Containerd::new(layout);
            let configuration = cni::configure(layout, &network::pod_cidr(0))?;
            containerd.ensure(&configuration)?;
            containerd.socket()
        }
    };
    let images = match image_directory(args) {
        Some(directory) => image::load(&socket, &directory)?,
        None => Vec::new(),
    };
    Ok((socket, images))
}

/// `--image-dir`, or `images` beside this program if it is there.
fn image_directory(args: &Args) -> Option<PathBuf> {
    if let Some(directory) = &args.image_dir {
        return Some(directory.clone());
    }
    let beside = std::env::current_exe().ok()?.parent()?.join("images");
    beside.is_dir().then_some(beside)
}

/// Writes a file that only its owner may read, since it holds a key.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let unfinished = path.with_extension("tmp");
    let _ = fs::remove_file(&unfinished);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&unfinished, path)
}
