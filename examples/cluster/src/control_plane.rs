//! The API server over its store, with controllers and scheduler as its clients.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::{Context as _, Result};
use k8s_apiserver::{
    ApiServer, User,
    pki::{Pki, PkiOptions},
};
use k8s_runtime::{Context, Hub, SystemClock};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Args, Part},
    identity, keys,
    layout::Layout,
    network, storage,
};

/// A running API server and what is needed to be its client.
pub(crate) struct ControlPlane {
    pub(crate) server: ApiServer,
    pub(crate) pki: Pki,
    pub(crate) hub: Hub,
    pub(crate) cancel: CancellationToken,
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
        let stopping = CancellationToken::new();
        let server = ApiServer::builder(store)
            .advertise(advertise, args.port)
            .call_nodes_with(pki.client_tls(pki.kubelet_client())?)
            .sign_tokens_with(pki.token_key())
            .publish_authorities(&pki)
            .metrics(metrics)
            .stop_with(stopping)
            .build()
            .await?;
        let (serving, tls, stop) = (server.clone(), pki.server_tls()?, cancel.child_token());
        tasks.spawn(async move { serving.serve(listener, tls, stop).await });
        let hub = Hub::new(server.client(identity::informer_hub()));
        Ok(ControlPlane {
            server,
            pki,
            hub,
            cancel: cancel.clone(),
        })
    }

    /// What a component needs: the shared hub to read from, a client of its own to write with.
    pub(crate) fn context(&self, user: User) -> Context {
        Context {
            client: self.server.client(user),
            hub: self.hub.clone(),
            cancel: self.cancel.child_token(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Starts controllers and scheduler.
    pub(crate) fn run_components(&self, args: &Args, tasks: &mut JoinSet<()>) {
        if args.with(Part::Controllers) {
            for controller in k8s_controllers::builtins() {
                tasks.spawn((controller.run)(
                    self.context(identity::controller(controller.account)),
                ));
            }
            let publisher = self.context(identity::controller(k8s_controllers::root_ca::ACCOUNT));
            tasks.spawn(k8s_controllers::root_ca::run(
                publisher,
                self.pki.ca_pem().to_owned(),
            ));
            let signer = self.context(identity::controller(k8s_controllers::certificates::ACCOUNT));
            tasks.spawn(k8s_controllers::certificates::sign::run(
                signer,
                keys::certificates(&self.pki),
            ));
            tasks.spawn(k8s_controllers::token::run(
                self.context(identity::controller_manager()),
                keys::tokens(&self.pki),
                self.pki.ca_pem().to_owned(),
            ));
        }
        if args.with(Part::Scheduler) {
            let scheduler =
                k8s_scheduler::Scheduler::builder(self.context(identity::scheduler())).build();
            tasks.spawn(async move { scheduler.run().await });
        }
    }
}
