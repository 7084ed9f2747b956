//! A machine that joins a cluster which runs elsewhere: agent, proxy and container runtime, with the API far away.
//!
//! With nothing but a token it finds out whom to trust ([`discover`]), asks for a certificate, and is from then on a
//! client like any other ([`remote`]); all that stays in the data directory, so a restart needs no token.

mod discover;
mod remote;

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_controllers::local_path::{self, NodeDirectories};
use k8s_kubelet::{
    Kubelet, NodeConfig,
    certificate::{Certificate, Purpose},
    cri::CriRuntime,
    server::ServerTls,
    source::PodSource,
};
use k8s_proxy::{Proxy, ProxyConfig};
use k8s_runtime::{Context, WatchConfig};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Args, Part},
    layout::Layout,
    network,
    node::{containerd::Containerd, image, route},
    progress::Progress,
    ready,
    run::image_directory,
    stop::Signals,
    worker,
};

/// How long the cluster may take to say whom to trust, and the pause before it is asked again.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(250);

/// Runs until SIGTERM or SIGINT. Containers outlive it.
pub(crate) async fn run(args: &Args, layout: &Layout, server: &str) -> Result<()> {
    let progress = Progress::start();
    let cancel = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut signals = Signals::new()?;
    let start = start(args, layout, server, &progress, &cancel, &mut tasks);
    if let Some(started) = signals.or(start).await {
        started?;
        signals.come().await;
        progress.step("stopping; containers run on");
    }
    cancel.cancel();
    while tasks.join_next().await.is_some() {}
    let _ = fs::remove_file(layout.pid_file());
    Ok(())
}

async fn start(
    args: &Args,
    layout: &Layout,
    server: &str,
    progress: &Progress,
    cancel: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "a node needs root");
    fs::write(layout.pid_file(), std::process::id().to_string())?;
    let name = args.node_name();
    let address = network::advertise(args.advertise_address)?;
    // The runtime comes up while the certificates are made. Its network follows once the node has its addresses.
    let runtime = {
        let (args, layout) = (args.clone(), layout.clone());
        spawn_blocking(move || start_runtime(&args, &layout))
    };
    let authority = authority(args, layout, server).await?;
    let certificate = Certificate::open(
        &name,
        Purpose::Client,
        layout.certificates().join("kubelet-client.pem"),
    );
    if !certificate.is_valid(Timestamp::now()) {
        let token = args.token.as_ref().context(
            "this machine has no certificate that is valid: --token lets it ask for one",
        )?;
        let client = discover::client(server, &authority, token)?;
        certificate.order(&client).await?;
        progress.step(&format!("certificate of system:node:{name}"));
    }
    let client = remote::client(server, &authority, certificate.clone())?;
    let mut ctx = Context::new(client.clone());
    ctx.cancel = cancel.child_token();
    tasks.spawn(certificate.keep(client.clone(), ctx.clock.clone(), cancel.child_token()));

    let (socket, images) = runtime.await??;
    progress.step(&format!("containerd at {}", socket.display()));
    for image in images {
        progress.step(&format!("loaded {image}"));
    }
    let mut config = worker::config(args, layout, address);
    let serving = Certificate::open(
        &name,
        Purpose::Serving(vec![address.into()]),
        layout.certificates().join("kubelet-serving.pem"),
    );
    tasks.spawn(
        serving
            .clone()
            .keep(client, ctx.clock.clone(), cancel.child_token()),
    );
    config.tls = Some(ServerTls::following(serving, authority));
    run_agent(&ctx, config, socket, tasks).await?;
    tasks.spawn(route::run(ctx.clone(), layout.clone(), name.clone()));
    let directories = NodeDirectories::new(layout.volumes(), [name.clone()]);
    tasks.spawn(local_path::run(ctx.clone(), Arc::new(directories)));
    if args.with(Part::Proxy) {
        let config = ProxyConfig {
            node_name: name.clone(),
            cluster_cidr: Some(network::pod_network()),
        };
        let proxy = Proxy::new(ctx.clone(), config);
        tasks.spawn(async move { proxy.run().await });
    }
    ready::node(&ctx.hub, &name).await;
    progress.ready();
    Ok(())
}

/// Whom to trust: known from the last time, or found out with the token.
async fn authority(args: &Args, layout: &Layout, server: &str) -> Result<String> {
    let file = layout.certificates().join("ca.crt");
    if let Ok(known) = fs::read_to_string(&file) {
        return Ok(known);
    }
    let token = args
        .token
        .as_ref()
        .context("this machine has not joined before: --token lets it")?;
    let asked = Instant::now();
    // The cluster may be starting, and signs what it tells a moment later.
    let found = loop {
        match discover::authority(server, token).await {
            Ok(found) => break found,
            Err(error) if asked.elapsed() > PATIENCE => return Err(error),
            Err(error) => tracing::info!(error = format!("{error:#}"), "asking again"),
        }
        tokio::time::sleep(PAUSE).await;
    };
    fs::create_dir_all(layout.certificates())?;
    fs::write(&file, &found)?;
    Ok(found)
}

fn start_runtime(args: &Args, layout: &Layout) -> Result<(PathBuf, Vec<String>)> {
    let socket = match &args.containerd_socket {
        Some(socket) => socket.clone(),
        None => {
            let containerd = Containerd::new(layout);
            fs::create_dir_all(layout.cni())?;
            containerd.ensure(&layout.cni())?;
            containerd.socket()
        }
    };
    let images = match image_directory(args) {
        Some(directory) => image::load(&socket, &directory)?,
        None => Vec::new(),
    };
    Ok((socket, images))
}

async fn run_agent(
    ctx: &Context,
    mut config: NodeConfig,
    socket: PathBuf,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    config.listen.set_port(worker::free_port().await);
    let runtime = CriRuntime::connect(&socket)
        .await
        .with_context(|| format!("no container runtime answers at {}", socket.display()))?;
    // A node may follow no pods but its own.
    let own = WatchConfig::default().fields(format!("spec.nodeName={}", config.name));
    let source = PodSource::over(ctx.hub.informer_with(own));
    let kubelet = Kubelet::new(ctx.clone(), config, Arc::new(runtime)).with_source(source);
    tasks.spawn(async move {
        if let Err(error) = kubelet.run().await {
            tracing::error!(%error, "the node agent ended");
        }
    });
    Ok(())
}
