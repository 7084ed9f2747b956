//! PersistentVolumeClaims that pods use outlast their deletion until no pod does ([`usage`]).

mod usage;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store};
use kube::{Api, api::ListParams};

use crate::protection::{self, Stage};

const FINALIZER: &str = "kubernetes.io/pvc-protection";
const WORKERS: usize = 4;
/// Index of pods by the claims that they name, as `namespace/name`.
const BY_CLAIM: &str = "spec.volumes.persistentVolumeClaim.claimName";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let pods = ctx.hub.informer::<Pod>();
    pods.add_index(BY_CLAIM, |pod| {
        let claims = usage::claims_of(pod);
        claims.iter().map(Key::to_string).collect()
    });
    let loop_ = Arc::new(Loop {
        claims: claims.store(),
        pods: pods.store(),
        ctx: ctx.clone(),
    });
    let known = claims.store();
    Controller::new("persistentvolumeclaim-protection", ctx)
        .on(&claims, |event| {
            protection::unsettled(&**event.object(), FINALIZER)
        })
        .on(&pods, move |event| freed(event, &known))
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

/// The claims that wait for a pod like this one to let them go.
fn freed(event: &Event<Pod>, claims: &Store<PersistentVolumeClaim>) -> Vec<Key> {
    let pod = event.object();
    if !matches!(event, Event::Deleted(_)) && !usage::may_free(pod) {
        return Vec::new();
    }
    let mut keys = usage::claims_of(pod);
    keys.retain(|key| {
        let claim = claims.get(key);
        claim.is_some_and(|claim| protection::stage(&claim.metadata, FINALIZER) != Stage::Settled)
    });
    keys
}

struct Loop {
    ctx: Context,
    claims: Store<PersistentVolumeClaim>,
    pods: Store<Pod>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(claim) = self.claims.get(&key) else {
            return Ok(Action::Done);
        };
        let api = Api::namespaced(self.ctx.client.clone(), &key.namespace);
        match protection::stage(&claim.metadata, FINALIZER) {
            Stage::Bare => protection::hold(&api, &*claim, FINALIZER).await?,
            Stage::Leaving if !self.is_used(&key, &claim).await? => {
                protection::release(&api, &*claim, FINALIZER).await?;
            }
            Stage::Leaving | Stage::Settled => {}
        }
        Ok(Action::Done)
    }

    /// Asks the cache, and if that knows no user the API: letting go of data too early can't be undone.
    async fn is_used(&self, key: &Key, claim: &PersistentVolumeClaim) -> Result<bool, kube::Error> {
        let known = self.pods.by_index(BY_CLAIM, &key.to_string());
        if known.iter().any(|pod| usage::uses(pod, claim)) {
            return Ok(true);
        }
        let api: Api<Pod> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
        let pods = api.list(&ListParams::default()).await?;
        Ok(pods.items.iter().any(|pod| usage::uses(pod, claim)))
    }
}
