//! The volumes of all pods of a node: the steps that `reconcile` plans, taken.
//!
//! Each pod's worker takes its own pod's steps. Where they meet, at devices that pods share, they take
//! turns. What has begun is noted before it begins, so whatever is broken off is taken down as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use k8s_openapi::api::core::v1::{Node, Pod, Volume};
use kube::Api;

use super::{
    Device, Failure, Host, MountedVolume, Plugin, Setup, Spec, VolumeError,
    actual::{Actual, Held, Staged},
    claim, csi,
    desired::{Kind, Slot, Wanted},
    mount, plugins,
    reconcile::{self, Step},
    spec::{use_of, volumes},
    state::{Shared, State},
    sub_path,
    usage::{self, VolumeUsage},
};

/// The volumes of a pod as containers get them, by their names in its spec.
pub type Mounted = BTreeMap<String, MountedVolume>;

/// The volumes of a node's pods.
pub struct Volumes {
    plugins: Vec<Box<dyn Plugin>>,
    host: Host,
    state: Shared,
}

/// A pod's volume with all that is known about it.
struct Planned<'a> {
    plugin: &'a dyn Plugin,
    spec: Spec,
    slot: Slot,
    dir: PathBuf,
    wanted: Wanted,
}

impl Volumes {
    /// All kinds of volumes, on a node as the last agent left it.
    pub fn new(host: Host) -> Self {
        let mounted = mount::all().unwrap_or_default();
        Self {
            plugins: plugins(),
            state: Shared::new(Actual::scan(&host.root, &mounted)),
            host,
        }
    }

    /// Sets up every volume that a pod's containers use, or brings them up to date.
    pub async fn set_up(&self, pod: &Pod) -> Result<Mounted, Failure> {
        let planned = self.want(pod).await?;
        let mut mounted = Mounted::new();
        for step in self.plan(pod) {
            match step {
                Step::Unpublish(slot) => {
                    let gone = self.unpublish(uid(pod), &slot).await;
                    gone.map_err(|error| {
                        Failure::of_step("TearDown failed", &slot.name, slot.kind, &error)
                    })?;
                }
                // Together with the first volume on it.
                Step::Stage(_) => {}
                Step::Publish(slot) => {
                    let volume = planned.iter().find(|volume| volume.slot == slot);
                    if let Some(volume) = volume {
                        let shown = self.publish(pod, volume).await?;
                        mounted.insert(volume.wanted.volume.clone(), volume.limited(shown));
                    }
                }
            }
        }
        for volume in &planned {
            if !mounted.contains_key(&volume.wanted.volume) {
                let shown = self.show(pod, volume).await?;
                mounted.insert(volume.wanted.volume.clone(), volume.limited(shown));
            }
        }
        Ok(mounted)
    }

    /// Brings the volumes up to date that follow the API, claims among them. One that can't be doesn't
    /// keep the others from it; the first failure is returned.
    pub async fn update(&self, pod: &Pod) -> Result<(), Failure> {
        let mut result = Ok(());
        for volume in volumes(pod) {
            let planned = match self.resolve(pod, volume).await {
                Ok(Some(planned)) => planned,
                Ok(None) => continue,
                // Its claim may be going; the pod has the volume nevertheless.
                Err(failure) => {
                    tracing::debug!(
                        pod = pod.metadata.name,
                        failure.message,
                        "a volume stays as it is"
                    );
                    continue;
                }
            };
            self.state.change(|state| {
                let (pod, slot) = (uid(pod).to_owned(), planned.slot.clone());
                // Not everything can be told from the disk after a restart.
                let held = state.actual.pods.entry(pod.clone()).or_default();
                held.entry(slot.clone()).or_default().alone = planned.wanted.alone.clone();
                let wanted = state.desired.pods.entry(pod).or_default();
                wanted.insert(slot, planned.wanted.clone());
            });
            let setup = self.setup(pod, &planned);
            let updated = match planned.plugin.is_live() {
                true => planned.plugin.set_up(&setup).await.map(drop),
                false => planned.plugin.refresh(&setup).await,
            };
            let failed = |error| planned.failure("SetUp failed", &error);
            result = result.and(updated.map_err(failed));
        }
        result
    }

    /// Whether any volume of the pod follows the API.
    pub fn is_live(&self, pod: &Pod) -> bool {
        volumes(pod).any(|volume| {
            let plugin = self.plugin(&Spec::inline(volume));
            claim::named(pod, volume).is_some()
                || volume.csi.is_some()
                || plugin.is_some_and(Plugin::is_live)
        })
    }

    /// Where the pod's volumes keep files of its own, by name; nothing may be there.
    pub(crate) fn places(&self, pod: &Pod) -> Vec<(String, PathBuf)> {
        let served = volumes(pod).filter_map(|volume| {
            let spec = Spec::inline(volume);
            let slot = slot(self.plugin(&spec)?, &spec);
            Some((volume.name.clone(), self.dir(uid(pod), &slot)))
        });
        served.collect()
    }

    /// What the pod's claims take, as far as it is known.
    pub(crate) async fn usage(&self, pod: &Pod) -> Vec<VolumeUsage> {
        let wanted = self
            .state
            .look(|state| state.desired.pods.get(uid(pod)).cloned());
        let mut found = Vec::new();
        for (slot, wanted) in wanted.unwrap_or_default() {
            let dir = self.dir(uid(pod), &slot);
            if slot.kind == Kind::Filesystem {
                found.extend(usage::look(&self.host, &slot, &dir, wanted).await);
            }
        }
        found
    }

    /// Takes down whatever volumes there are of a pod, by its uid, then the devices that nobody
    /// uses any more.
    pub(crate) async fn tear_down(&self, pod: &str) -> Result<(), VolumeError> {
        let steps = self.state.change(|state| {
            state.desired.pods.remove(pod);
            reconcile::plan(&state.desired, &state.actual, pod)
        });
        let dir = self.pod_dir(pod);
        mount::remove(&dir.join(sub_path::DIRECTORY))?;
        let mut result = Ok(());
        for step in steps {
            if let Step::Unpublish(slot) = step {
                // One that can't be taken down doesn't keep the others.
                result = result.and(self.unpublish(pod, &slot).await);
            }
        }
        result?;
        for kind in Kind::ALL {
            mount::remove(&dir.join(kind.directory()))?;
        }
        self.unstage_idle().await;
        Ok(())
    }

    /// Takes devices from the node that no pod uses. What can't be taken now is asked for again.
    pub(crate) async fn unstage_idle(&self) {
        for device in self.idle() {
            let _turn = self.state.take(&device).await;
            // Somebody may have wanted it meanwhile.
            let is_idle = self.idle().contains(&device);
            let Some(plugin) = self.named(csi::NAME).filter(|_| is_idle) else {
                continue;
            };
            match plugin.unstage(&self.host, &device).await {
                Ok(()) => drop(
                    self.state
                        .change(|state| state.actual.devices.remove(&device)),
                ),
                Err(error) => {
                    tracing::warn!(%error, ?device, "a device that no pod uses stays for now");
                }
            }
        }
    }

    /// Whether there are devices on the node that no pod uses.
    pub(crate) fn has_idle(&self) -> bool {
        !self.idle().is_empty()
    }

    /// Devices in use that others attach to the node, and so may not detach.
    pub(crate) fn in_use(&self) -> BTreeSet<Device> {
        self.state.look(State::in_use)
    }

    /// The node's status names these devices now.
    pub(crate) fn reported(&self, devices: BTreeSet<Device>) {
        self.state.reported(devices);
    }

    /// Waits until other devices are in use than the node's status names.
    pub(crate) async fn use_changed(&self) {
        self.state.use_changed().await;
    }

    fn idle(&self) -> Vec<Device> {
        self.state
            .look(|state| reconcile::idle(&state.desired, &state.actual))
    }

    /// Resolves what the pod wants, and notes it.
    async fn want(&self, pod: &Pod) -> Result<Vec<Planned<'_>>, Failure> {
        let mut planned = Vec::new();
        for volume in volumes(pod) {
            planned.extend(self.resolve(pod, volume).await?);
        }
        let wanted = planned.iter();
        let wanted = wanted.map(|volume| (volume.slot.clone(), volume.wanted.clone()));
        let wanted = wanted.collect();
        self.state
            .change(|state| state.desired.pods.insert(uid(pod).to_owned(), wanted));
        Ok(planned)
    }

    /// What a volume of the pod is, unless no container uses it.
    async fn resolve(&self, pod: &Pod, volume: &Volume) -> Result<Option<Planned<'_>>, Failure> {
        let used = use_of(pod, &volume.name);
        if !used.is_mounted && !used.is_device {
            return Ok(None);
        }
        let spec = claim::resolve(&self.host.client, pod, volume, used).await;
        let spec = spec.map_err(|why| Failure::unprocessed(&volume.name, &why))?;
        let plugin = self.plugin(&spec);
        let plugin =
            plugin.ok_or_else(|| Failure::unprocessed(&volume.name, "no volume plugin matched"))?;
        let slot = slot(plugin, &spec);
        let mut planned = Planned {
            wanted: Wanted {
                volume: volume.name.clone(),
                claim: claim::named(pod, volume).map(|(claim, _)| claim),
                device: plugin.device(&spec),
                is_attached: false,
                alone: spec.is_for_one_pod().then(|| spec.name().to_owned()),
            },
            dir: self.dir(uid(pod), &slot),
            plugin,
            spec,
            slot,
        };
        let is_attached = plugin.is_attached(&self.setup(pod, &planned)).await;
        let failed = |error| planned.failure("WaitForAttach failed", &error);
        planned.wanted.is_attached = is_attached.map_err(failed)?;
        Ok(Some(planned))
    }

    fn plan(&self, pod: &Pod) -> Vec<Step> {
        let pod = uid(pod);
        self.state
            .look(|state| reconcile::plan(&state.desired, &state.actual, pod))
    }

    /// Gives the pod a volume that it doesn't have, or perhaps only half.
    async fn publish(&self, pod: &Pod, volume: &Planned<'_>) -> Result<MountedVolume, Failure> {
        let setup = self.setup(pod, volume);
        let checked = volume.plugin.check(&volume.spec);
        checked.map_err(|error| volume.failure("NewMounter initialization failed", &error))?;
        self.check_node(volume).await?;
        if !self.note(uid(pod), volume, false) {
            let why =
                "volume uses the ReadWriteOncePod access mode and is already in use by another pod";
            return Err(volume.failure("SetUp failed", &VolumeError::Invalid(why.into())));
        }
        let attached = match volume.wanted.is_attached {
            true => volume.plugin.attached(&setup).await,
            false => Ok(BTreeMap::new()),
        };
        let attached = attached.map_err(|error| volume.failure("WaitForAttach failed", &error))?;
        let setup = Setup { attached, ..setup };
        if let Some(device) = &volume.wanted.device {
            self.stage(&setup, volume, device).await?;
        }
        let made = match setup.dir.parent() {
            Some(parent) => mount::make_dir(parent, 0o750),
            None => Ok(()),
        };
        let failed = |error| volume.failure("SetUp failed", &error);
        made.map_err(failed)?;
        let shown = volume.plugin.set_up(&setup).await.map_err(failed)?;
        self.note(uid(pod), volume, true);
        if volume.spec.growth().is_some() {
            volume.plugin.refresh(&setup).await.map_err(failed)?;
        }
        Ok(shown)
    }

    /// A volume that the pod has, as containers get it. What follows the API is brought up to date
    /// by this; the rest only looks where it is.
    async fn show(&self, pod: &Pod, volume: &Planned<'_>) -> Result<MountedVolume, Failure> {
        if volume.slot.plugin == csi::NAME {
            // Nothing is to be done again by the driver.
            let target = csi::target(volume.slot.kind, &volume.dir);
            return Ok(MountedVolume::managed(&target));
        }
        let shown = volume.plugin.set_up(&self.setup(pod, volume)).await;
        shown.map_err(|error| volume.failure("SetUp failed", &error))
    }

    async fn stage(
        &self,
        setup: &Setup<'_>,
        volume: &Planned<'_>,
        device: &Device,
    ) -> Result<(), Failure> {
        let _turn = self.state.take(device).await;
        let known = self
            .state
            .look(|state| state.actual.devices.get(device).cloned());
        if known.is_some_and(|staged| staged.is_complete) {
            return Ok(());
        }
        let is_attached = volume.wanted.is_attached;
        let note = |is_complete| {
            let staged = Staged {
                is_attached,
                is_complete,
            };
            self.state
                .change(|state| state.actual.devices.insert(device.clone(), staged));
        };
        if is_attached {
            self.state.wait_until_reported(device).await;
        }
        note(false);
        let staged = volume.plugin.stage(setup).await;
        staged.map_err(|error| volume.failure("MountDevice failed", &error))?;
        note(true);
        Ok(())
    }

    async fn unpublish(&self, pod: &str, slot: &Slot) -> Result<(), VolumeError> {
        let dir = self.dir(pod, slot);
        match self.named(&slot.plugin) {
            Some(plugin) => plugin.tear_down(&self.host, &dir).await?,
            // Of a kind that an earlier agent knew.
            None => mount::remove(&dir)?,
        }
        self.state.change(|state| {
            if let Some(held) = state.actual.pods.get_mut(pod) {
                held.remove(slot);
                if held.is_empty() {
                    state.actual.pods.remove(pod);
                }
            }
        });
        Ok(())
    }

    /// Notes that the pod has the volume, perhaps only half; not if it is another's alone.
    fn note(&self, pod: &str, volume: &Planned<'_>, is_complete: bool) -> bool {
        let held = Held {
            device: volume.wanted.device.clone(),
            alone: volume.wanted.alone.clone(),
            is_complete,
        };
        self.state.change(|state| {
            let alone = held.alone.as_ref();
            if alone.is_some_and(|alone| state.actual.is_taken(alone, pod)) {
                return false;
            }
            let pod = state.actual.pods.entry(pod.to_owned()).or_default();
            pod.insert(volume.slot.clone(), held);
            true
        })
    }

    /// Whether the volume can be reached from this node.
    async fn check_node(&self, volume: &Planned<'_>) -> Result<(), Failure> {
        let Some(persistent) = &volume.spec.persistent else {
            return Ok(());
        };
        let spec = persistent.volume.spec.as_ref();
        if spec.is_none_or(|spec| spec.node_affinity.is_none()) {
            return Ok(());
        }
        let nodes: Api<Node> = Api::all(self.host.client.clone());
        let failed =
            |why: String| volume.failure("NodeAffinity check failed", &VolumeError::Invalid(why));
        let node = nodes.get(&self.host.node).await;
        let node = node.map_err(|error| failed(claim::words(&error)))?;
        match claim::is_reachable(&persistent.volume, &node) {
            true => Ok(()),
            false => Err(failed("no matching NodeSelectorTerms".into())),
        }
    }

    fn setup<'a>(&'a self, pod: &'a Pod, volume: &'a Planned<'_>) -> Setup<'a> {
        Setup {
            pod,
            spec: &volume.spec,
            dir: &volume.dir,
            host: &self.host,
            attached: BTreeMap::new(),
        }
    }

    fn plugin(&self, spec: &Spec) -> Option<&dyn Plugin> {
        let mut plugins = self.plugins.iter().map(Box::as_ref);
        plugins.find(|plugin| plugin.serves(spec))
    }

    fn named(&self, name: &str) -> Option<&dyn Plugin> {
        let mut plugins = self.plugins.iter().map(Box::as_ref);
        plugins.find(|plugin| plugin.name() == name)
    }

    fn dir(&self, pod: &str, slot: &Slot) -> PathBuf {
        let kind = self.pod_dir(pod).join(slot.kind.directory());
        kind.join(&slot.plugin).join(&slot.name)
    }

    fn pod_dir(&self, pod: &str) -> PathBuf {
        self.host.root.join("pods").join(pod)
    }
}

impl Planned<'_> {
    /// The volume as the pod may use it.
    fn limited(&self, shown: MountedVolume) -> MountedVolume {
        MountedVolume {
            is_read_only: shown.is_read_only || self.spec.is_read_only(),
            ..shown
        }
    }

    fn failure(&self, step: &str, error: &VolumeError) -> Failure {
        Failure::of_step(step, self.spec.name(), self.slot.kind, error)
    }
}

fn slot(plugin: &dyn Plugin, spec: &Spec) -> Slot {
    Slot {
        kind: match spec.is_block() {
            true => Kind::Block,
            false => Kind::Filesystem,
        },
        plugin: plugin.name().to_owned(),
        name: spec.name().to_owned(),
    }
}

fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}
