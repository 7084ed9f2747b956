//! The component: fill the directory, bind, register, serve.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use k8s_runtime::Context;

use crate::{
    Error, directory::Informers, forward::Upstreams, register, server::Server, zone::Zone,
};

/// How long to wait before registering again when the API refuses.
const RETRY: Duration = Duration::from_secs(1);

/// What cluster DNS is told at its start.
#[derive(Clone, Debug)]
pub struct DnsConfig {
    /// Where to listen. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// The address under which pods reach this machine: that of its node.
    pub advertise: IpAddr,
    /// The cluster's domain, such as `cluster.local`.
    pub domain: String,
    /// The virtual address in pods' `resolv.conf`, such as 10.96.0.10.
    pub cluster_ip: IpAddr,
}

/// Cluster DNS.
pub struct Dns {
    ctx: Context,
    config: DnsConfig,
}

impl Dns {
    /// DNS that reads from the context's shared informers and registers itself with its client.
    pub fn new(ctx: Context, config: DnsConfig) -> Dns {
        Dns { ctx, config }
    }

    /// Serves until the context is cancelled. Fails at once if the domain or the address is unusable.
    pub async fn run(self) -> Result<(), Error> {
        let cancel = self.ctx.cancel.clone();
        let informers = Informers::new(&self.ctx);
        let zone = Zone::try_new(&self.config.domain, informers.clone())?;
        let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let own = [self.config.cluster_ip, self.config.advertise];
        let server = Server::new(zone, Upstreams::from_resolv_conf(&resolv_conf, &own));
        let bound = server.bind(self.config.listen).await?;
        let port = bound.address.port();
        // Before the caches are filled every name would seem not to exist.
        let started = async {
            informers.synced().await;
            tokio::join!(self.register(port), bound.run(cancel.clone()));
        };
        cancel.run_until_cancelled(started).await;
        Ok(())
    }

    async fn register(&self, port: u16) {
        let DnsConfig {
            cluster_ip,
            advertise,
            ..
        } = self.config;
        while let Err(error) = register::apply(&self.ctx.client, cluster_ip, advertise, port).await
        {
            tracing::warn!(%error, "the DNS service could not be registered, will retry");
            tokio::time::sleep(RETRY).await;
        }
    }
}
