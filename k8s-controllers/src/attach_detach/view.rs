//! What a round sees of a node: what its pods need, and what is attached to it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_apimachinery::{
    pod::{readiness, taint},
    volume::{
        binding,
        claim::{check_made_for, claims_of},
    },
};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, Pod},
    storage::v1::VolumeAttachment,
};
use k8s_runtime::{Key, index};
use ring::digest::{SHA256, digest};

use super::{BY_NODE, BY_VOLUME, Loop};

/// Nodes with this annotation leave attaching to this controller.
const MANAGED: &str = "volumes.kubernetes.io/controller-managed-attach-detach";
/// Users mark nodes with this taint that they know to be off.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// A node, its pods' volumes and its attachments.
#[derive(Default)]
pub(super) struct View {
    pub(super) name: String,
    /// The node, unless it is gone.
    pub(super) node: Option<Arc<Node>>,
    /// What the pods need, by the attachment's name.
    pub(super) wanted: BTreeMap<String, Wanted>,
    /// What is attached, or shall be.
    pub(super) attachments: Vec<Attachment>,
}

/// A volume that pods of the node need.
pub(super) struct Wanted {
    pub(super) volume: Arc<PersistentVolume>,
    /// The pods that need it.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Whether it is attached elsewhere, though only one node may have it.
    pub(super) is_taken: bool,
    /// The pods of other nodes that use it.
    pub(super) others: Vec<Arc<Pod>>,
}

/// A VolumeAttachment, with the name that its node knows the volume by.
pub(super) struct Attachment {
    pub(super) object: Arc<VolumeAttachment>,
    pub(super) device: Option<String>,
    /// Since when no pod needs it.
    pub(super) unwanted_since: Option<Timestamp>,
}

impl Attachment {
    pub(super) fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn is_attached(&self) -> bool {
        let status = self.object.status.as_ref();
        status.is_some_and(|status| status.attached)
    }

    pub(super) fn is_going(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }
}

impl View {
    /// What the node still uses, by its own account.
    pub(super) fn uses(&self, device: &str) -> bool {
        let status = self.node.as_ref().and_then(|node| node.status.as_ref());
        let mut in_use = status
            .iter()
            .flat_map(|status| &status.volumes_in_use)
            .flatten();
        in_use.any(|name| name == device)
    }

    /// Whether the node's status names a volume as attached.
    pub(super) fn lists(&self, attachment: &Attachment) -> bool {
        let status = self.node.as_ref().and_then(|node| node.status.as_ref());
        let listed = status.iter().flat_map(|status| &status.volumes_attached);
        let mut listed = listed.flatten();
        listed.any(|volume| Some(&volume.name) == attachment.device.as_ref())
    }

    pub(super) fn is_out_of_service(&self) -> bool {
        let taints = self.node.iter().flat_map(|node| taint::taints(node));
        let mut taints = taints.filter(|taint| taint.effect == taint::NO_EXECUTE);
        taints.any(|taint| taint.key == OUT_OF_SERVICE)
    }
}

/// Whether a node says that it is ready.
pub(super) fn is_healthy(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| &status.conditions)
        .flatten();
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    ready.any(|condition| condition.status == "True")
}

/// The one name of a volume's attachment to a node, so that nobody makes two.
pub(super) fn attachment_name(volume: &PersistentVolume, node: &str) -> Option<String> {
    let csi = volume.spec.as_ref()?.csi.as_ref()?;
    let text = format!("{}{}{node}", csi.volume_handle, csi.driver);
    let hash = digest(&SHA256, text.as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(format!("csi-{hex}"))
}

/// The name by which a node and its status know a volume.
pub(super) fn device(volume: &PersistentVolume) -> Option<String> {
    let csi = volume.spec.as_ref()?.csi.as_ref()?;
    Some(format!(
        "kubernetes.io/csi/{}^{}",
        csi.driver, csi.volume_handle
    ))
}

/// Whether only one node may have a volume at a time.
fn is_exclusive(volume: &PersistentVolume) -> bool {
    let modes = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.access_modes.as_deref());
    let modes = modes.unwrap_or_default();
    let is_shared = |mode: &String| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany");
    !modes.is_empty() && !modes.iter().any(is_shared)
}

impl Loop {
    pub(super) fn view(&self, name: &str) -> View {
        let node = self.nodes.get(&Key::cluster(name));
        let is_managed = node.as_ref().is_some_and(|node| {
            let annotations = node.metadata.annotations.as_ref();
            annotations.is_some_and(|all| all.contains_key(MANAGED))
        });
        let mut view = View {
            name: name.to_owned(),
            node,
            ..View::default()
        };
        if view.node.is_some() && !is_managed {
            return view;
        }
        let attachments = self.attachments.by_index(BY_NODE, name).into_iter();
        view.attachments = attachments.map(|object| self.attachment(object)).collect();
        if view.node.is_none() {
            return view;
        }
        for pod in self.pods.by_index(index::POD_BY_NODE, name) {
            for volume in self.volumes_of(&pod) {
                let Some(attachment) = attachment_name(&volume, name) else {
                    continue;
                };
                let wanted = view.wanted.entry(attachment);
                let wanted = wanted.or_insert_with(|| self.wanted(volume, name));
                wanted.pods.push(pod.clone());
            }
        }
        view
    }

    fn attachment(&self, object: Arc<VolumeAttachment>) -> Attachment {
        let volume = object.spec.source.persistent_volume_name.as_deref();
        let volume = volume.and_then(|name| self.volumes.get(&Key::cluster(name)));
        Attachment {
            device: volume.and_then(|volume| device(&volume)),
            object,
            unwanted_since: None,
        }
    }

    fn wanted(&self, volume: Arc<PersistentVolume>, node: &str) -> Wanted {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let attached = self.attachments.by_index(BY_VOLUME, name);
        let mut elsewhere = attached.iter().filter(|other| other.spec.node_name != node);
        let is_taken = is_exclusive(&volume) && elsewhere.next().is_some();
        let claim = binding::claim_ref(&volume).map(|reference| {
            let namespace = reference.namespace.clone().unwrap_or_default();
            Key::new(namespace, reference.name.clone().unwrap_or_default())
        });
        let users = claim.map(|claim| self.pods.by_index(super::BY_CLAIM, &claim.to_string()));
        let mut others = users.filter(|_| is_taken).unwrap_or_default();
        others
            .retain(|pod| readiness::node_name(pod) != Some(node) && !readiness::is_terminal(pod));
        Wanted {
            volume,
            pods: Vec::new(),
            is_taken,
            others,
        }
    }

    /// The volumes of a pod that are attached by a driver. A pod that has ended needs none.
    fn volumes_of(&self, pod: &Pod) -> Vec<Arc<PersistentVolume>> {
        if readiness::is_terminal(pod) {
            return Vec::new();
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let volumes = claims_of(pod).filter_map(|wanted| {
            let claim = self.claims.get(&Key::new(namespace, &wanted.name))?;
            if wanted.is_ephemeral && check_made_for(pod, &claim).is_err() {
                return None;
            }
            let name = binding::volume_name(&claim).filter(|_| binding::is_complete(&claim))?;
            let volume = self.volumes.get(&Key::cluster(name))?;
            (binding::is_for(&volume, &claim) && self.is_attachable(&volume)).then_some(volume)
        });
        volumes.collect()
    }

    /// A driver whose volumes need no attaching says so.
    fn is_attachable(&self, volume: &PersistentVolume) -> bool {
        let csi = volume.spec.as_ref().and_then(|spec| spec.csi.as_ref());
        csi.is_some_and(|csi| {
            let driver = self.drivers.get(&Key::cluster(&csi.driver));
            driver.is_none_or(|driver| driver.spec.attach_required != Some(false))
        })
    }

    /// Notes since when each attachment isn't wanted, and forgets those that are or are gone.
    pub(super) fn note_unwanted(&self, view: &mut View, now: Timestamp) {
        let mut memory = self.remember();
        for attachment in &mut view.attachments {
            let name = attachment.object.metadata.name.clone().unwrap_or_default();
            if view.wanted.contains_key(&name) {
                memory.unwanted.remove(&name);
            } else {
                let since = *memory.unwanted.entry(name).or_insert(now);
                attachment.unwanted_since = Some(since);
            }
        }
        let exists = |name: &String| self.attachments.get(&Key::cluster(name)).is_some();
        memory.unwanted.retain(|name, _| exists(name));
    }
}
