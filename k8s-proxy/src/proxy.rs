//! The component: observe services and slices, render, apply what changed.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use k8s_runtime::{Context, Informer};

use crate::{
    Error,
    iptables::{
        restore,
        rules::{self, Config},
        writer::Ruleset,
    },
    state, sysctl,
};

/// How long changes gather before rules are written: a rollout touches many slices at once.
const GATHER: Duration = Duration::from_millis(20);

/// How long to wait after a failure; the next change does not wait less.
const RETRY: Duration = Duration::from_secs(5);

/// What a proxy is told at its start.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The node it runs on: decides which endpoints are local.
    pub node_name: String,
    /// The pods' network.
    pub cluster_cidr: Option<rules::Cidr>,
}

/// Keeps this network namespace's rules as the services want them.
pub struct Proxy {
    ctx: Context,
    config: ProxyConfig,
    services: Informer<Service>,
    slices: Informer<EndpointSlice>,
}

impl Proxy {
    /// A proxy that reads from the context's shared informers.
    pub fn new(ctx: Context, config: ProxyConfig) -> Proxy {
        let (services, slices) = (ctx.hub.informer(), ctx.hub.informer());
        Proxy {
            ctx,
            config,
            services,
            slices,
        }
    }

    /// Runs until the context is cancelled, then removes all rules.
    pub async fn run(self) {
        self.ctx.cancel.run_until_cancelled(self.follow()).await;
        if let Err(error) = cleanup().await {
            tracing::warn!(%error, "rules could not be removed");
        }
    }

    async fn follow(&self) {
        let mut services = self.services.subscribe();
        let mut slices = self.slices.subscribe();
        tokio::join!(self.services.synced(), self.slices.synced());
        sysctl::ensure();
        // `None` until a first successful sync: then the kernel's chains have to be looked at.
        let mut applied: Option<Ruleset> = None;
        loop {
            match self.sync(applied.take()).await {
                Ok(rules) => applied = Some(rules),
                Err(error) => {
                    tracing::warn!(%error, "rules could not be written, will retry");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            }
            tokio::select! {
                event = services.next() => if event.is_none() { return },
                event = slices.next() => if event.is_none() { return },
            }
            tokio::time::sleep(GATHER).await;
            // What gathered meanwhile is in the stores already.
            while futures::FutureExt::now_or_never(services.next())
                .flatten()
                .is_some()
            {}
            while futures::FutureExt::now_or_never(slices.next())
                .flatten()
                .is_some()
            {}
        }
    }

    /// Brings the kernel from what was applied (or found there) to what is wanted now.
    async fn sync(&self, applied: Option<Ruleset>) -> Result<Ruleset, Error> {
        let config = Config {
            cluster_cidr: self.config.cluster_cidr,
        };
        let services = self.services.store().list();
        let slices = self.slices.store().list();
        let ports = state::service_ports(&self.config.node_name, &services, &slices);
        let wanted = rules::render(&config, &ports);
        let is_first = applied.is_none();
        let current = match applied {
            Some(rules) => rules,
            None => restore::left_behind().await?,
        };
        restore::apply(&wanted.since(&current)).await?;
        if is_first {
            restore::ensure_jumps().await?;
        }
        tracing::debug!(ports = ports.len(), "rules written");
        Ok(wanted)
    }
}

/// Removes every rule, chain and jump that a proxy made in this network namespace.
pub async fn cleanup() -> Result<(), Error> {
    restore::remove_all().await
}
