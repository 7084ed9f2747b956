//! What runs on nodes: agent, proxy, DNS. A node is a value; nothing here is global.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use k8s_controllers::local_path::{self, NodeDirectories};
use k8s_dns::{Dns, DnsConfig};
use k8s_kubelet::{
    Kubelet, NodeConfig,
    cri::CriRuntime,
    hollow::HollowRuntime,
    server::{Access, Server, ServerTls},
    source::PodSource,
};
use k8s_proxy::{Proxy, ProxyConfig};
use tokio::task::JoinSet;

use crate::{
    args::{Args, Part},
    control_plane::ControlPlane,
    identity,
    layout::Layout,
    network,
    node::{containerd::PAUSE, route},
};

/// The port of a node's agent, where it is free.
const KUBELET_PORT: u16 = 10250;

/// This machine as a node.
pub(crate) fn config(args: &Args, layout: &Layout, advertise: Ipv4Addr) -> NodeConfig {
    let mut config = NodeConfig::new(args.node_name(), layout.kubelet());
    config.cgroup_root = Some(format!("/k8s-{}", layout.tag()));
    config.internal_ip = advertise.into();
    config.cluster_dns = vec![network::DNS.into()];
    config.cluster_domain = network::DOMAIN.into();
    config.static_pod_path = Some(layout.manifests());
    // The machine's disks are its owner's: how full they are is no affair of the cluster's.
    let is_memory = |signal: &str| signal == "memory.available";
    config.eviction.hard.retain(|signal, _| is_memory(signal));
    let levels = args.eviction_hard.iter().cloned();
    let levels = levels.map(|level| (level.signal, level.value));
    config.eviction.hard.extend(levels);
    config.image_collection.high_threshold_percent = 100;
    config.image_collection.pinned.insert(PAUSE.into());
    config
}

/// Runs this machine's agent over a container runtime.
pub(crate) async fn run_agent(
    plane: &ControlPlane,
    args: &Args,
    layout: &Layout,
    advertise: Ipv4Addr,
    socket: PathBuf,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    let mut config = config(args, layout, advertise);
    // The first node doesn't wait for its addresses.
    config.pod_cidr = Some(network::pod_cidr(0));
    run_local_path(plane, layout, [config.name.clone()], tasks);
    config.tls = Some(tls(plane, &config.name, advertise)?);
    config.listen.set_port(free_port().await);
    let runtime = CriRuntime::connect(&socket)
        .await
        .with_context(|| format!("no container runtime answers at {}", socket.display()))?;
    let routes = plane.context(identity::node(&config.name));
    tasks.spawn(route::run(routes, layout.clone(), config.name.clone()));
    let kubelet = Kubelet::new(
        plane.context(identity::node(&config.name)),
        config,
        Arc::new(runtime),
    );
    tasks.spawn(async move {
        if let Err(error) = kubelet.run().await {
            tracing::error!(%error, "the node agent ended");
        }
    });
    Ok(())
}

/// Runs simulated nodes, which share one server and one source of pods.
pub(crate) async fn run_hollow(
    plane: &ControlPlane,
    layout: &Layout,
    advertise: Ipv4Addr,
    count: usize,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    let listen = (Ipv4Addr::UNSPECIFIED, free_port().await).into();
    // Any of the nodes may ask who may call; they are all served alike.
    let access = Access::new(plane.context(identity::node("hollow-0")).client, "");
    let server = Server::bind(listen, &tls(plane, "hollow", advertise)?, access).await?;
    let source = PodSource::new(&plane.hub);
    let (serving, cancel) = (server.clone(), plane.cancel.child_token());
    tasks.spawn(async move { serving.run(cancel).await });
    let name = |index| format!("hollow-{index}");
    run_local_path(plane, layout, (0..count).map(name), tasks);
    for index in 0..count {
        let name = name(index);
        let mut config = NodeConfig::new(&name, layout.kubelet().join(&name));
        let cidr = network::pod_cidr(index);
        config.internal_ip = advertise.into();
        config.pod_cidr = Some(cidr.clone());
        let kubelet = Kubelet::new(
            plane.context(identity::node(&name)),
            config,
            Arc::new(HollowRuntime::new(&cidr)),
        )
        .with_source(source.clone())
        .with_server(server.clone());
        tasks.spawn(async move {
            if let Err(error) = kubelet.run().await {
                tracing::error!(%error, name, "a hollow node ended");
            }
        });
    }
    Ok(())
}

/// Makes volumes in directories of this machine, for nodes that are on it.
fn run_local_path(
    plane: &ControlPlane,
    layout: &Layout,
    nodes: impl IntoIterator<Item = String>,
    tasks: &mut JoinSet<()>,
) {
    let directories = NodeDirectories::new(layout.volumes(), nodes);
    let ctx = plane.context(identity::local_path());
    tasks.spawn(async move {
        if let Err(error) = local_path::install(&ctx.client).await {
            tracing::error!(%error, "no class of local volumes");
        }
        local_path::run(ctx, Arc::new(directories)).await;
    });
}

/// Runs the service proxy and cluster DNS of this machine.
pub(crate) fn run_services(
    plane: &ControlPlane,
    args: &Args,
    advertise: Ipv4Addr,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    if args.with(Part::Proxy) {
        let config = ProxyConfig {
            node_name: args.node_name(),
            cluster_cidr: Some(network::pod_network()),
        };
        let proxy = Proxy::new(plane.context(identity::proxy()), config);
        tasks.spawn(async move { proxy.run().await });
    }
    if args.with(Part::Dns) {
        let config = DnsConfig {
            // Pods reach it through its service; port 53 may be somebody else's.
            listen: (advertise, 0).into(),
            advertise: advertise.into(),
            domain: network::DOMAIN.into(),
            cluster_ip: network::DNS.into(),
        };
        let dns = Dns::new(plane.context(identity::dns()), config);
        tasks.spawn(async move {
            if let Err(error) = dns.run().await {
                tracing::error!(%error, "cluster DNS ended");
            }
        });
    }
    Ok(())
}

/// Keys for the agent's own server.
fn tls(plane: &ControlPlane, node: &str, address: Ipv4Addr) -> Result<ServerTls> {
    let names = [node.to_owned(), address.to_string()];
    let credential = plane.pki.issue_kubelet_serving(node, &names)?;
    Ok(ServerTls::new(
        credential.certificate,
        credential.key,
        plane.pki.ca_pem(),
    ))
}

/// The usual port, or any free one where another node has it.
pub(crate) async fn free_port() -> u16 {
    let usual = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, KUBELET_PORT)).await;
    if usual.is_ok() { KUBELET_PORT } else { 0 }
}
