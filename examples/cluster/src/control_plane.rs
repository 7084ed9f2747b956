//! The API server over its store. [`component`](crate::component) runs what works on it.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::{Context as _, Result};
use k8s_apiserver::{
    ApiServer,
    pki::{Pki, PkiOptions},
};
use k8s_runtime::{Context, Hub, SystemClock};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    args::Args,
    audit::{self, AuditLog},
    identity::{self, Identity},
    layout::Layout,
    network, storage,
};

/// A running API server and what is needed to be its client.
pub(crate) struct ControlPlane {
    pub(crate) server: ApiServer,
    pub(crate) pki: Pki,
    pub(crate) hub: Hub,
    pub(crate) cancel: CancellationToken,
    pub(crate) audit: Option<AuditLog>,
}

impl ControlPlane {
    /// Opens the store, makes the certificates, and serves.
    pub(crate) async fn start(
        args: &Args,
        layout: &Layout,
        listener: TcpListener,
        advertise: Ipv4Addr,
        cancel: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<ControlPlane> {
        let options = PkiOptions {
            advertise_address: advertise.into(),
            cluster_domain: network::DOMAIN.into(),
            names: vec![network::host_name()],
            ..PkiOptions::default()
        };
        let pki = Pki::load_or_create(layout.root(), &options).context("certificates")?;
        let (store, metrics) = storage::open(args, layout).await?;
        let audit = audit::open(args).await?;
        let stopping = CancellationToken::new();
        let mut server = ApiServer::builder(store)
            .advertise(advertise, args.port)
            .call_nodes_with(pki.client_tls(pki.kubelet_client())?)
            .sign_tokens_with(pki.token_key())
            .publish_authorities(&pki)
            .metrics(metrics)
            .stop_with(stopping);
        if let Some(log) = &audit {
            server = server.audit(log.auditor.clone());
        }
        let server = server.build().await?;
        let (serving, tls, stop) = (server.clone(), pki.server_tls()?, cancel.child_token());
        tasks.spawn(async move { serving.serve(listener, tls, stop).await });
        let hub = Hub::new(identity::informer_hub().client(&server));
        Ok(ControlPlane {
            server,
            pki,
            hub,
            cancel: cancel.clone(),
            audit,
        })
    }

    /// What a component needs: the shared hub to read from, a client of its own to write with.
    pub(crate) fn context(&self, component: Identity) -> Context {
        Context {
            client: component.client(&self.server),
            hub: self.hub.clone(),
            cancel: self.cancel.child_token(),
            clock: Arc::new(SystemClock),
        }
    }
}
