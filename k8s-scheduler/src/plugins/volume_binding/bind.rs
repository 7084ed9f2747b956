//! Keeping a promise: tells the binder and provisioners through the API, and waits for them.

use std::time::Duration;

use k8s_apimachinery::volume::binding::{self, SELECTED_NODE};
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_runtime::{Context, Informer, Key, Object, Store};
use kube::{Api, Client, api::PostParams};

use super::books::Promise;
use crate::cache::PodInfo;

/// How long a pod waits for its volumes before it is tried elsewhere.
const PATIENCE: Duration = Duration::from_secs(600);
/// How soon the first look is, and how long it is between the later ones.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LATER_LOOKS: Duration = Duration::from_secs(1);

/// The API, and what it is known to show.
pub(super) struct Binder {
    client: Client,
    nodes: Informer<Node>,
    pods: Informer<Pod>,
    claims: Informer<PersistentVolumeClaim>,
    volumes: Informer<PersistentVolume>,
}

impl Binder {
    pub(super) fn new(ctx: &Context) -> Self {
        Self {
            client: ctx.client.clone(),
            nodes: ctx.hub.informer(),
            pods: ctx.hub.informer(),
            claims: ctx.hub.informer(),
            volumes: ctx.hub.informer(),
        }
    }

    /// Writes what was promised, and returns when all of it is bound.
    pub(super) async fn bind(
        &self,
        pod: &PodInfo,
        node: &str,
        promise: Promise,
    ) -> Result<(), String> {
        let written = self.write(promise).await;
        let written = written.map_err(|error| error.to_string())?;
        let waiting = async {
            let mut pause = FIRST_LOOK;
            while !self.is_done(pod, node, &written)? {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LATER_LOOKS);
            }
            Ok(())
        };
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        outcome.unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
    }

    async fn write(&self, promise: Promise) -> Result<Written, kube::Error> {
        let mut written = Written::default();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let params = PostParams::default();
        for (volume, claim) in promise.volumes {
            let name = volume.metadata.name.as_deref().unwrap_or_default();
            let volume = volumes.replace(name, &params, &volume).await?;
            written.volumes.push((volume, Key::of(&*claim)));
        }
        for claim in promise.claims {
            let key = Key::of(&*claim);
            let claims: Api<PersistentVolumeClaim> =
                Api::namespaced(self.client.clone(), &key.namespace);
            let claim = claims.replace(&key.name, &params, &claim).await?;
            written.claims.push(claim);
        }
        Ok(written)
    }

    /// Whether all is bound, as far as the caches show; an error when it won't be.
    fn is_done(&self, pod: &PodInfo, node: &str, written: &Written) -> Result<bool, String> {
        let node = self.nodes.store().get(&Key::cluster(node));
        let node = node.ok_or("the node is gone")?;
        if self.pods.store().get(&pod.key).is_none() {
            let name = &pod.key.name;
            return Err(format!(
                "pod does not exist any more: pod {name:?} not found"
            ));
        }
        let (claims, volumes) = (self.claims.store(), self.volumes.store());
        let mut is_done = true;
        for (volume, claim) in &written.volumes {
            is_done &= is_bound(volume, claim, &node, &claims, &volumes)?;
        }
        for claim in &written.claims {
            is_done &= is_provisioned(claim, &node, &claims, &volumes)?;
        }
        Ok(is_done)
    }
}

/// What the API answered.
#[derive(Default)]
struct Written {
    volumes: Vec<(PersistentVolume, Key)>,
    claims: Vec<PersistentVolumeClaim>,
}

fn is_bound(
    written: &PersistentVolume,
    claim: &Key,
    node: &Node,
    claims: &Store<PersistentVolumeClaim>,
    volumes: &Store<PersistentVolume>,
) -> Result<bool, String> {
    let key = Key::of(written);
    let gone = |key: &Key| format!("failed to check binding: {key} is gone");
    let volume = volumes.get(&key).ok_or_else(|| gone(&key))?;
    let claim = claims.get(claim).ok_or_else(|| gone(claim))?;
    if revision(&*volume) < revision(written) {
        return Ok(false);
    }
    check_reachable(&volume, node)?;
    let uid = binding::claim_ref(&volume).and_then(|reference| reference.uid.as_ref());
    if uid.is_none_or(String::is_empty) {
        return Err(format!("ClaimRef got reset for pv {:?}", key.name));
    }
    Ok(binding::is_complete(&claim))
}

fn is_provisioned(
    written: &PersistentVolumeClaim,
    node: &Node,
    claims: &Store<PersistentVolumeClaim>,
    volumes: &Store<PersistentVolume>,
) -> Result<bool, String> {
    let key = Key::of(written);
    let claim = claims.get(&key);
    let claim = claim.ok_or_else(|| format!("failed to check provisioning pvc: {key} is gone"))?;
    if revision(&*claim) < revision(written) {
        return Ok(false);
    }
    // A provisioner that can't takes the node's name away, so that another may be chosen.
    if binding::annotation(&claim, SELECTED_NODE) != node.metadata.name.as_deref() {
        return Err(format!("provisioning failed for PVC {:?}", key.name));
    }
    if let Some(name) = binding::volume_name(&claim) {
        let Some(volume) = volumes.get(&Key::cluster(name)) else {
            return Ok(false);
        };
        check_reachable(&volume, node)?;
    }
    Ok(binding::is_complete(&claim))
}

fn check_reachable(volume: &PersistentVolume, node: &Node) -> Result<(), String> {
    if binding::is_reachable(volume, node) {
        return Ok(());
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    Err(format!(
        "pv {:?} node affinity doesn't match node {:?}",
        name(&volume.metadata.name),
        name(&node.metadata.name)
    ))
}

fn revision<K: Object>(object: &K) -> u64 {
    let rv = object.meta().resource_version.as_deref();
    rv.and_then(|rv| rv.parse().ok()).unwrap_or(0)
}
