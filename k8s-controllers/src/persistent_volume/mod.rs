//! The binder: gives claims their volumes, and takes volumes back when their claims are gone.
//!
//! Two loops, one over claims and one over volumes, each with a plan of its own ([`claim`], [`volume`]). A binding is
//! four writes: the volume names the claim and says that it is bound, then the claim does likewise. The first one
//! decides, since it fails if the volume has changed; whatever is left undone the next round completes. Volumes are
//! made and deleted by provisioners, never here.

mod claim;
mod latest;
mod note;
mod volume;
mod write;

use std::{sync::Arc, time::Duration};

use k8s_apimachinery::{
    pod::readiness,
    volume::{binding, claim::claims_of, class},
};
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, Key, Queue, Store, reference,
};
use kube::Api;

use latest::Latest;
use note::Note;

/// One claim after the other: two at once would mostly want the same volume.
const CLAIM_WORKERS: usize = 1;
const VOLUME_WORKERS: usize = 4;
/// A claim without a volume is looked at again after this long, which also repeats the event that says why.
const RESYNC: Duration = Duration::from_secs(15);

/// Index of claims whose binding isn't complete, by class.
const UNBOUND: &str = "unbound claims by class";
/// Index of volumes by class.
const BY_CLASS: &str = "spec.storageClassName";
/// Index of volumes by the claim that they refer to, as `namespace/name`.
const BY_CLAIM: &str = "spec.claimRef";
/// Index of pods without a node by the claims of their volumes, as `namespace/name`.
const WAITING_FOR: &str = "claims of pods without a node";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let volumes = ctx.hub.informer::<PersistentVolume>();
    let classes = ctx.hub.informer::<StorageClass>();
    let pods = ctx.hub.informer::<Pod>();
    claims.add_index(UNBOUND, |claim| match is_complete(claim) {
        true => Vec::new(),
        false => vec![class::of_claim(claim).to_owned()],
    });
    volumes.add_index(BY_CLASS, |volume| vec![class::of_volume(volume).to_owned()]);
    volumes.add_index(BY_CLAIM, |volume| {
        claim_key(volume).iter().map(Key::to_string).collect()
    });
    pods.add_index(WAITING_FOR, waits_for);
    let of_claims = Controller::new("persistentvolume-binder", ctx.clone());
    let binder = Arc::new(Binder {
        claims: Latest::new(claims.store()),
        volumes: Latest::new(volumes.store()),
        classes: classes.store(),
        pods: pods.store(),
        events: EventRecorder::new(&ctx, "persistentvolume-controller"),
        api: Api::all(ctx.client.clone()),
        claim_queue: of_claims.queue(),
        ctx: ctx.clone(),
    });
    let (unbound, all_claims) = (claims.store(), claims.store());
    let of_claims = of_claims
        .owns_keys(&claims)
        .on(&volumes, move |event| wanting(event, &unbound))
        .on(&classes, move |event| of_class(event.object(), &all_claims))
        .reads(&pods);
    let named = volumes.store();
    let of_volumes = Controller::new("persistentvolume-binder", ctx)
        .owns_keys(&volumes)
        .on(&claims, move |event| volumes_of(event.object(), &named));
    let for_claims = binder.clone();
    tokio::join!(
        of_claims.run(CLAIM_WORKERS, move |key| {
            let round = for_claims.clone();
            async move { round.reconcile_claim(key).await }
        }),
        of_volumes.run(VOLUME_WORKERS, move |key| {
            let round = binder.clone();
            async move { round.reconcile_volume(key).await }
        }),
    );
}

/// Whether the binder is through with a claim, for good or for ill.
fn is_complete(claim: &PersistentVolumeClaim) -> bool {
    binding::annotation(claim, binding::BIND_COMPLETED).is_some()
}

fn claim_key(volume: &PersistentVolume) -> Option<Key> {
    let reference = binding::claim_ref(volume)?;
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    Some(Key::new(namespace, reference.name.as_deref()?))
}

/// What [`WAITING_FOR`] finds a pod under.
fn waits_for(pod: &Pod) -> Vec<String> {
    if readiness::node_name(pod).is_some() || readiness::is_terminal(pod) {
        return Vec::new();
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let keys = claims_of(pod).map(|claim| Key::new(namespace, claim.name));
    keys.map(|key| key.to_string()).collect()
}

/// The claims that a volume's event concerns: the one it refers to or did, those that name it, and those that wait for
/// one like it.
fn wanting(event: &Event<PersistentVolume>, claims: &Store<PersistentVolumeClaim>) -> Vec<Key> {
    let volume = event.object();
    let states = event.old().into_iter().chain([volume]);
    let mut keys: Vec<_> = states.filter_map(|volume| claim_key(volume)).collect();
    if binding::claim_ref(volume).is_none() {
        let waiting = claims.by_index(UNBOUND, class::of_volume(volume));
        keys.extend(waiting.iter().map(|claim| Key::of(&**claim)));
    }
    keys
}

/// The unbound claims that a class's event concerns: its own, and those without one, since it may be the default.
fn of_class(class: &StorageClass, claims: &Store<PersistentVolumeClaim>) -> Vec<Key> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let mut waiting = claims.by_index(UNBOUND, name);
    let silent = claims.by_index(UNBOUND, "").into_iter();
    waiting.extend(silent.filter(|claim| !class::is_chosen(claim)));
    waiting.iter().map(|claim| Key::of(&**claim)).collect()
}

/// The volumes that a claim's event concerns: the one that it names, and those that refer to it.
fn volumes_of(claim: &PersistentVolumeClaim, volumes: &Store<PersistentVolume>) -> Vec<Key> {
    let refer = volumes.by_index(BY_CLAIM, &Key::of(claim).to_string());
    let mut keys: Vec<_> = refer.iter().map(|volume| Key::of(&**volume)).collect();
    keys.extend(binding::volume_name(claim).map(Key::cluster));
    keys
}

struct Binder {
    ctx: Context,
    claims: Latest<PersistentVolumeClaim>,
    volumes: Latest<PersistentVolume>,
    classes: Store<StorageClass>,
    pods: Store<Pod>,
    events: EventRecorder,
    api: Api<PersistentVolume>,
    claim_queue: Queue<Key>,
}

impl Binder {
    async fn reconcile_claim(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(claim) = self.claims.get(&key) else {
            return Ok(Action::Done);
        };
        let plan = claim::plan(&self.view(&key, claim.clone()));
        for note in &plan.notes {
            self.tell_claim(&claim, note);
        }
        let is_waiting = match plan.step {
            claim::Step::Nothing => false,
            claim::Step::Bind(volume) => {
                self.bind(&volume, &claim).await?;
                false
            }
            claim::Step::Choose(class) => {
                self.choose_class(&claim, class).await?;
                false
            }
            claim::Step::Phase(phase) => {
                self.write_claim_phase(&claim, phase, None).await?;
                phase == claim::PENDING
            }
            claim::Step::Provision(provisioner) => {
                let claim = match claim::provisioned_by(&claim, &provisioner) {
                    Some(asked) => self.write_claim(&asked).await?,
                    None => claim,
                };
                self.write_claim_phase(&claim, claim::PENDING, None).await?;
                true
            }
        };
        Ok(match is_waiting {
            true => Action::After(RESYNC),
            false => Action::Done,
        })
    }

    fn view(&self, key: &Key, claim: Arc<PersistentVolumeClaim>) -> claim::View {
        let name = class::of_claim(&claim);
        let mut volumes = self.volumes.by_index(BY_CLAIM, &key.to_string());
        volumes.extend(self.volumes.by_index(BY_CLASS, name));
        let classes = self.classes.list();
        let default = class::default_of(classes.iter().map(|class| &**class));
        let waiting = self.pods.by_index(WAITING_FOR, &key.to_string());
        let named = binding::volume_name(&claim);
        claim::View {
            named: named.and_then(|name| self.volumes.get(&Key::cluster(name))),
            volumes,
            class: self.classes.get(&Key::cluster(name)),
            default_class: default.and_then(|class| class.metadata.name.clone()),
            waiting_pods: waiting
                .iter()
                .filter_map(|pod| pod.metadata.name.clone())
                .collect(),
            claim,
        }
    }

    async fn reconcile_volume(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(volume) = self.volumes.get(&key) else {
            return Ok(Action::Done);
        };
        let claim_key = claim_key(&volume);
        let claim = claim_key.as_ref().and_then(|key| self.claims.get(key));
        match volume::plan(&volume, claim.as_deref()) {
            volume::Step::Phase(phase) => {
                self.write_volume_phase(&volume, phase, None).await?;
            }
            volume::Step::Wake => claim_key
                .into_iter()
                .for_each(|key| self.claim_queue.add(key)),
            volume::Step::Mismatch(of_volume, of_claim) => {
                self.tell_volume(&volume, &of_volume);
                if let Some(claim) = claim {
                    self.tell_claim(&claim, &of_claim);
                }
            }
            volume::Step::Unbind => self.unbind(&volume).await?,
            volume::Step::Release => {
                if claim.is_some() || self.is_orphaned(&volume).await? {
                    self.release(&volume).await?;
                } else {
                    return Ok(Action::After(Duration::from_secs(1)));
                }
            }
        }
        Ok(Action::Done)
    }

    /// Asks the API whether a volume's claim is gone: whoever bound it, such as the scheduler, may know of a claim that
    /// the cache here doesn't show yet.
    async fn is_orphaned(&self, volume: &PersistentVolume) -> Result<bool, kube::Error> {
        let Some(reference) = binding::claim_ref(volume) else {
            return Ok(false);
        };
        let namespace = reference.namespace.as_deref().unwrap_or_default();
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.ctx.client.clone(), namespace);
        let name = reference.name.as_deref().unwrap_or_default();
        let claim = claims.get_opt(name).await?;
        Ok(claim.is_none_or(|claim| claim.metadata.uid != reference.uid))
    }

    fn tell_claim(&self, claim: &PersistentVolumeClaim, note: &Note) {
        let message = note.message.clone();
        self.events
            .event(reference(claim), note.sort, note.reason, message);
    }

    fn tell_volume(&self, volume: &PersistentVolume, note: &Note) {
        let message = note.message.clone();
        self.events
            .event(reference(volume), note.sort, note.reason, message);
    }
}
