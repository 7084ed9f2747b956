//! PersistentVolumes that are bound to a claim outlast their deletion until they are free.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_runtime::{Action, Context, Controller, Key, Store};
use kube::Api;

use crate::protection::{self, Stage};

const FINALIZER: &str = "kubernetes.io/pv-protection";
const WORKERS: usize = 4;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let volumes = ctx.hub.informer::<PersistentVolume>();
    let loop_ = Arc::new(Loop {
        volumes: volumes.store(),
        api: Api::all(ctx.client.clone()),
    });
    Controller::new("persistentvolume-protection", ctx)
        .on(&volumes, |event| {
            protection::unsettled(&**event.object(), FINALIZER)
        })
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    volumes: Store<PersistentVolume>,
    api: Api<PersistentVolume>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        if let Some(volume) = self.volumes.get(&key) {
            match protection::stage(&volume.metadata, FINALIZER) {
                Stage::Bare => protection::hold(&self.api, &*volume, FINALIZER).await?,
                Stage::Leaving if !is_bound(&volume) => {
                    protection::release(&self.api, &*volume, FINALIZER).await?;
                }
                Stage::Leaving | Stage::Settled => {}
            }
        }
        Ok(Action::Done)
    }
}

/// Whether a claim has the volume, as the volume's own controller says.
fn is_bound(volume: &PersistentVolume) -> bool {
    let status = volume.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    phase == Some("Bound")
}
