//! Attaches CSI volumes to the nodes whose pods use them, and detaches them when no pod does.
//!
//! A round looks at one node: what its pods need ([`view`]), what is attached to it, and what the node says that it still
//! uses; [`plan`] says what to attach and detach. Attaching is making a VolumeAttachment, which the driver's own attacher
//! carries out. The node mounts nothing before `status.volumesAttached` names it; so before a volume is detached the
//! name is taken away there, and the node must have stopped using it, unless it is taken for dead.

mod act;
mod plan;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use k8s_apimachinery::{
    pod::{readiness, taint},
    volume::{binding, claim::claims_of},
};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::{CSIDriver, VolumeAttachment},
};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Expectations, Key, Store, index,
};

/// One node after the other: two that want the same volume must not both get it.
const WORKERS: usize = 1;
/// Index of attachments by node.
const BY_NODE: &str = "spec.nodeName of attachments";
/// Index of attachments by volume.
const BY_VOLUME: &str = "spec.source.persistentVolumeName";
/// Index of pods with a node by their claims, as `namespace/name`.
const BY_CLAIM: &str = "claims of pods with a node";
/// How soon to look again for what was just written.
const SOON: Duration = Duration::from_millis(10);

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let nodes = ctx.hub.informer::<Node>();
    let pods = ctx.hub.informer::<Pod>();
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let volumes = ctx.hub.informer::<PersistentVolume>();
    let drivers = ctx.hub.informer::<CSIDriver>();
    let attachments = ctx.hub.informer::<VolumeAttachment>();
    pods.add_index(index::POD_BY_NODE, index::pod_node);
    pods.add_index(BY_CLAIM, claims_in_use);
    attachments.add_index(BY_NODE, |it| vec![it.spec.node_name.clone()]);
    attachments.add_index(BY_VOLUME, |it| {
        it.spec
            .source
            .persistent_volume_name
            .iter()
            .cloned()
            .collect()
    });
    let loop_ = Arc::new(Loop {
        nodes: nodes.store(),
        pods: pods.store(),
        claims: claims.store(),
        volumes: volumes.store(),
        drivers: drivers.store(),
        attachments: attachments.store(),
        events: EventRecorder::new(&ctx, "attachdetach-controller"),
        written: Expectations::new(ctx.clock.clone()),
        memory: Mutex::default(),
        ctx: ctx.clone(),
    });
    let (by_claim, by_volume, by_attachment) = (loop_.clone(), loop_.clone(), loop_.clone());
    Controller::new("persistentvolume-attach-detach", ctx)
        .on(&nodes, |event| match concerns(event) {
            true => vec![Key::of(&**event.object())],
            false => Vec::new(),
        })
        .on(&pods, |event| match claims_of(event.object()).next() {
            Some(_) => node_key(event.object()),
            None => Vec::new(),
        })
        .on(&claims, move |event| {
            by_claim.users_of(&Key::of(&**event.object()))
        })
        .on(&volumes, move |event| {
            by_volume.users_of_volume(event.object())
        })
        .on(&attachments, move |event| {
            by_attachment.of_attachment(event.object())
        })
        .reads(&drivers)
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

fn node_key(pod: &Pod) -> Vec<Key> {
    readiness::node_name(pod)
        .map(Key::cluster)
        .into_iter()
        .collect()
}

fn claims_in_use(pod: &Pod) -> Vec<String> {
    if readiness::node_name(pod).is_none() {
        return Vec::new();
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let keys = claims_of(pod).map(|claim| Key::new(namespace, claim.name));
    keys.map(|key| key.to_string()).collect()
}

/// Whether a node's event is about its volumes or its health; heartbeats aren't.
fn concerns(event: &Event<Node>) -> bool {
    let facts = |node: &Node| {
        let status = node.status.as_ref();
        (
            status.and_then(|status| status.volumes_in_use.clone()),
            status.and_then(|status| status.volumes_attached.clone()),
            taint::taints(node).to_vec(),
            view::is_healthy(node),
        )
    };
    match event {
        Event::Updated { old, new } => facts(old) != facts(new),
        Event::Added(_) | Event::Deleted(_) => true,
    }
}

struct Loop {
    ctx: Context,
    nodes: Store<Node>,
    pods: Store<Pod>,
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    drivers: Store<CSIDriver>,
    attachments: Store<VolumeAttachment>,
    events: EventRecorder,
    written: Expectations,
    memory: Mutex<Memory>,
}

/// What no object tells.
#[derive(Default)]
struct Memory {
    /// Since when an attachment isn't wanted, by its name.
    unwanted: BTreeMap<String, Timestamp>,
    /// What a node's pods were told last.
    told: BTreeMap<String, BTreeSet<String>>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        if !self.written.is_satisfied(&everything(), &self.attachments) {
            return Ok(Action::After(SOON));
        }
        let now = self.ctx.clock.now();
        let mut view = self.view(&key.name);
        self.note_unwanted(&mut view, now);
        let plan = plan::plan(&view, now);
        self.carry_out(&view, &plan).await?;
        Ok(plan.again.map_or(Action::Done, Action::After))
    }

    fn users_of(&self, claim: &Key) -> Vec<Key> {
        let pods = self.pods.by_index(BY_CLAIM, &claim.to_string());
        pods.iter().flat_map(|pod| node_key(pod)).collect()
    }

    fn users_of_volume(&self, volume: &PersistentVolume) -> Vec<Key> {
        let reference = binding::claim_ref(volume);
        let claim = reference.and_then(|reference| {
            let namespace = reference.namespace.as_deref().unwrap_or_default();
            Some(Key::new(namespace, reference.name.as_deref()?))
        });
        claim.map(|claim| self.users_of(&claim)).unwrap_or_default()
    }

    /// The attachment's node, and those whose pods wait for the same volume.
    fn of_attachment(&self, attachment: &VolumeAttachment) -> Vec<Key> {
        let mut keys = vec![Key::cluster(&attachment.spec.node_name)];
        let volume = attachment.spec.source.persistent_volume_name.as_deref();
        let volume = volume.and_then(|name| self.volumes.get(&Key::cluster(name)));
        keys.extend(
            volume
                .map(|volume| self.users_of_volume(&volume))
                .unwrap_or_default(),
        );
        keys
    }
}

/// All attachments are waited for together, since any may hold the volume that a node wants.
fn everything() -> Key {
    Key::cluster("")
}
