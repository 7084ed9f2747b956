//! A provisioner of volumes that are directories of a node: what a cluster without other storage offers.
//!
//! The scheduler chooses the node; the binder says whose turn it is. [`plan`] then decides what to make or remove, and
//! whoever runs on the node's file system does it ([`Directories`]). So each process serves the nodes that it can reach.
//! Sizes are not enforced: the directories share their node's disk.

mod directory;
mod install;
mod plan;

use std::{io, sync::Arc};

use k8s_apimachinery::volume::{binding, class};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use k8s_runtime::{Action, Context, Controller, EventRecorder, Key, Store, reference};
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};

pub use directory::{Directories, NodeDirectories};
pub use install::install;
use plan::{Making, Unmaking};

/// The service account in `kube-system` that it acts as.
pub const ACCOUNT: &str = "local-path-provisioner";
/// What classes name it.
pub const PROVISIONER: &str = "local-path-provisioner";
/// The class that [`install`] makes.
pub const CLASS: &str = "local-path";

const WORKERS: usize = 4;

/// Makes and removes volumes on the nodes of these directories until the context is cancelled.
pub async fn run(ctx: Context, directories: Arc<dyn Directories>) {
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let volumes = ctx.hub.informer::<PersistentVolume>();
    let classes = ctx.hub.informer::<StorageClass>();
    let nodes = ctx.hub.informer::<Node>();
    let provisioner = Arc::new(Provisioner {
        claims: claims.store(),
        volumes: volumes.store(),
        classes: classes.store(),
        nodes: nodes.store(),
        events: EventRecorder::new(&ctx, PROVISIONER),
        api: Api::all(ctx.client.clone()),
        ctx: ctx.clone(),
        directories,
    });
    let making = Controller::new("local-path", ctx.clone())
        .on(&claims, |event| match plan::is_ours(event.object()) {
            true => vec![Key::of(&**event.object())],
            false => Vec::new(),
        })
        .reads(&classes)
        .reads(&nodes);
    let unmaking = Controller::new("local-path", ctx).owns_keys(&volumes);
    let maker = provisioner.clone();
    tokio::join!(
        making.run(WORKERS, move |key| {
            let round = maker.clone();
            async move { round.make(key).await }
        }),
        unmaking.run(WORKERS, move |key| {
            let round = provisioner.clone();
            async move { round.unmake(key).await }
        }),
    );
}

struct Provisioner {
    ctx: Context,
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    classes: Store<StorageClass>,
    nodes: Store<Node>,
    events: EventRecorder,
    api: Api<PersistentVolume>,
    directories: Arc<dyn Directories>,
}

/// Why a round is to be repeated.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Provisioner {
    async fn make(&self, key: Key) -> Result<Action, Error> {
        let Some(claim) = self.claims.get(&key) else {
            return Ok(Action::Done);
        };
        let class = self.classes.get(&Key::cluster(class::of_claim(&claim)));
        let node = binding::annotation(&claim, binding::SELECTED_NODE).unwrap_or_default();
        let node = self.nodes.get(&Key::cluster(node));
        let is_served = node.as_ref().is_some_and(|node| {
            let name = node.metadata.name.as_deref();
            self.directories.serves(name.unwrap_or_default())
        });
        let (Some(class), Some(node), true) = (class, node, is_served) else {
            return Ok(Action::Done);
        };
        match plan::make(&claim, &class, &node, &*self.directories) {
            Making::Nothing => {}
            Making::Refuse(reason) => self.failed(&claim, &reason),
            Making::Make(volume) => self.provision(&claim, &volume).await?,
        }
        Ok(Action::Done)
    }

    async fn provision(
        &self,
        claim: &PersistentVolumeClaim,
        volume: &PersistentVolume,
    ) -> Result<(), Error> {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        if self.volumes.get(&Key::cluster(name)).is_some() {
            return Ok(());
        }
        let of_claim = || reference(claim);
        let key = Key::of(claim).to_string();
        let message = format!("External provisioner is provisioning volume for claim {key:?}");
        self.events.normal(of_claim(), "Provisioning", message);
        let (node, path) = plan::place(volume);
        if let Err(error) = self.directories.make(node, path).await {
            self.failed(claim, &error.to_string());
            // Another node may do better.
            self.give_up_node(claim).await?;
            return Err(error.into());
        }
        match self.api.create(&PostParams::default(), volume).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
            other => drop(other?),
        }
        let message = format!("Successfully provisioned volume {name}");
        self.events
            .normal(of_claim(), "ProvisioningSucceeded", message);
        Ok(())
    }

    fn failed(&self, claim: &PersistentVolumeClaim, reason: &str) {
        let class = class::of_claim(claim);
        let message = format!("failed to provision volume with StorageClass {class:?}: {reason}");
        self.events
            .warning(reference(claim), "ProvisioningFailed", message);
    }

    async fn give_up_node(&self, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
        let mut free = claim.clone();
        let annotations = free.metadata.annotations.get_or_insert_default();
        annotations.remove(binding::SELECTED_NODE);
        let key = Key::of(claim);
        let api: Api<PersistentVolumeClaim> =
            Api::namespaced(self.ctx.client.clone(), &key.namespace);
        api.replace(&key.name, &PostParams::default(), &free)
            .await
            .map(drop)
    }

    async fn unmake(&self, key: Key) -> Result<Action, Error> {
        let Some(volume) = self.volumes.get(&key) else {
            return Ok(Action::Done);
        };
        let (node, path) = plan::place(&volume);
        let step = plan::unmake(&volume);
        if step == Unmaking::Nothing || !self.directories.serves(node) {
            return Ok(Action::Done);
        }
        if step != Unmaking::LetGo
            && let Err(error) = self.directories.remove(node, path).await
        {
            let message = error.to_string();
            self.events
                .warning(reference(&*volume), "VolumeFailedDelete", message);
            return Err(error.into());
        }
        let written = match step {
            Unmaking::Delete => {
                let params = DeleteParams::default().preconditions(Preconditions {
                    uid: volume.metadata.uid.clone(),
                    resource_version: None,
                });
                self.api.delete(&key.name, &params).await.map(drop)
            }
            _ => {
                let free = plan::let_go(&volume);
                let params = PostParams::default();
                self.api.replace(&key.name, &params, &free).await.map(drop)
            }
        };
        match written {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Action::Done),
            other => Ok(other.map(|()| Action::Done)?),
        }
    }
}
