//! What to do about a claim: bind it, have a volume made for it, or let it wait.

use std::sync::Arc;

use k8s_apimachinery::volume::{
    binding::{self, SELECTED_NODE},
    class,
    matching::{self, Search},
};
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus},
    storage::v1::StorageClass,
};

use super::note::Note;

pub(super) const PENDING: &str = "Pending";
pub(super) const BOUND: &str = "Bound";
const LOST: &str = "Lost";
const FAILED_BINDING: &str = "FailedBinding";

/// A claim, and what may become of it.
pub(super) struct View {
    pub(super) claim: Arc<PersistentVolumeClaim>,
    /// The volume that it names, if that exists.
    pub(super) named: Option<Arc<PersistentVolume>>,
    /// The volumes of its class, and those that refer to it.
    pub(super) volumes: Vec<Arc<PersistentVolume>>,
    /// The class that it asks for, if that exists.
    pub(super) class: Option<Arc<StorageClass>>,
    /// The class of claims that ask for none.
    pub(super) default_class: Option<String>,
    /// The pods that use it and have no node yet.
    pub(super) waiting_pods: Vec<String>,
}

/// What a round does.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) step: Step,
    pub(super) notes: Vec<Note>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// There is nothing to write.
    Nothing,
    /// Say that it has no volume.
    Phase(&'static str),
    /// Bind it to this volume, or complete the binding.
    Bind(Arc<PersistentVolume>),
    /// Name the default class in it.
    Choose(String),
    /// Tell this provisioner to make a volume.
    Provision(String),
}

impl From<Step> for Plan {
    fn from(step: Step) -> Self {
        let notes = Vec::new();
        Self { step, notes }
    }
}

impl Step {
    fn saying(self, note: Note) -> Plan {
        let notes = vec![note];
        Plan { step: self, notes }
    }
}

/// What to do now.
pub(super) fn plan(view: &View) -> Plan {
    let is_complete = binding::annotation(&view.claim, binding::BIND_COMPLETED).is_some();
    match (is_complete, binding::volume_name(&view.claim)) {
        (false, None) => find(view),
        (false, Some(name)) => take(view, name),
        (true, name) => keep(view, name),
    }
}

/// For a claim that takes any volume.
fn find(view: &View) -> Plan {
    let claim = &*view.claim;
    let waits = view.class.as_deref().is_some_and(class::waits_for_consumer);
    let search = match waits {
        true => Search::Prebound,
        false => Search::Immediate,
    };
    if let Some(volume) = matching::best(claim, &view.volumes, search) {
        return Step::Bind(volume.clone()).into();
    }
    if !class::is_chosen(claim)
        && let Some(default) = &view.default_class
    {
        return Step::Choose(default.clone()).into();
    }
    if waits && binding::annotation(claim, SELECTED_NODE).is_none() {
        return Step::Phase(PENDING).saying(waiting(&view.waiting_pods));
    }
    match class::of_claim(claim) {
        "" => Step::Phase(PENDING).saying(Note::normal(
            FAILED_BINDING,
            "no persistent volumes available for this claim and no storage class is set",
        )),
        name => provision(name, view.class.as_deref()),
    }
}

fn waiting(pods: &[String]) -> Note {
    match pods {
        [] => Note::normal(
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding",
        ),
        [pod] => Note::normal(
            "WaitForPodScheduled",
            format!("waiting for pod {pod} to be scheduled"),
        ),
        pods => Note::normal(
            "WaitForPodScheduled",
            format!("waiting for pods {} to be scheduled", pods.join(",")),
        ),
    }
}

/// No volume is made in this process: whoever the class names does it. Names that Kubernetes keeps to itself are
/// nobody's, though.
fn provision(name: &str, class: Option<&StorageClass>) -> Plan {
    const FAILED: &str = "ProvisioningFailed";
    let Some(class) = class else {
        let message = format!("storageclass.storage.k8s.io {name:?} not found");
        return Step::Phase(PENDING).saying(Note::warning(FAILED, message));
    };
    let provisioner = &class.provisioner;
    if provisioner.starts_with("kubernetes.io/") {
        let message = format!("no volume plugin matched name: {provisioner}");
        return Step::Phase(PENDING).saying(Note::warning(FAILED, message));
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
         system administrator. If volume creation is delayed, please verify that the provisioner is running and \
         correctly registered."
    );
    Step::Provision(provisioner.clone()).saying(Note::normal("ExternalProvisioning", message))
}

/// For a claim that names its volume.
fn take(view: &View, name: &str) -> Plan {
    let Some(volume) = &view.named else {
        return Step::Phase(PENDING).into();
    };
    if binding::is_for(volume, &view.claim) {
        return Step::Bind(volume.clone()).into();
    }
    if binding::claim_ref(volume).is_some() {
        let message = format!("volume {name:?} already bound to a different claim.");
        return Step::Phase(PENDING).saying(Note::warning(FAILED_BINDING, message));
    }
    match matching::check(&view.claim, volume) {
        Ok(()) => Step::Bind(volume.clone()).into(),
        Err(reason) => {
            let message = format!("Cannot bind to requested volume {name:?}: {reason}");
            Step::Phase(PENDING).saying(Note::warning("VolumeMismatch", message))
        }
    }
}

/// For a claim that was bound before.
fn keep(view: &View, name: Option<&str>) -> Plan {
    let lose = |reason, message: &str| match phase(&view.claim) {
        LOST => Step::Nothing.into(),
        _ => Step::Phase(LOST).saying(Note::warning(reason, message)),
    };
    if name.is_none() {
        return lose(
            "ClaimLost",
            "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
        );
    }
    let Some(volume) = &view.named else {
        return lose(
            "ClaimLost",
            "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        );
    };
    let reference = binding::claim_ref(volume);
    let is_ours = reference.is_none_or(|reference| reference.uid == view.claim.metadata.uid);
    match is_ours {
        true => Step::Bind(volume.clone()).into(),
        false => lose(
            "ClaimMisbound",
            "Two claims are bound to the same volume, this one is bound incorrectly",
        ),
    }
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    let status = claim.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

/// The claim with its volume's name and the marks of a complete binding; none when it has them.
pub(super) fn bound(claim: &PersistentVolumeClaim, volume: &str) -> Option<PersistentVolumeClaim> {
    let mut after = claim.clone();
    let annotations = after.metadata.annotations.get_or_insert_default();
    let mut mark = |name: &str| {
        let before = annotations.insert(name.to_owned(), "yes".to_owned());
        before.is_none()
    };
    let mut is_changed = mark(binding::BIND_COMPLETED);
    if binding::volume_name(claim) != Some(volume) {
        mark(binding::BOUND_BY_CONTROLLER);
        after.spec.get_or_insert_default().volume_name = Some(volume.to_owned());
        is_changed = true;
    }
    is_changed.then_some(after)
}

/// The claim with a phase, and what its volume offers if it has one; none when it says so already.
pub(super) fn with_phase(
    claim: &PersistentVolumeClaim,
    phase: &str,
    volume: Option<&PersistentVolume>,
) -> Option<PersistentVolumeClaim> {
    let before = claim.status.clone().unwrap_or_default();
    let is_new = before.phase.as_deref() != Some(phase);
    let mut status = PersistentVolumeClaimStatus {
        phase: Some(phase.to_owned()),
        ..before.clone()
    };
    match volume.and_then(|volume| volume.spec.as_ref()) {
        None => (status.access_modes, status.capacity) = (None, None),
        Some(spec) => {
            status.access_modes.clone_from(&spec.access_modes);
            // Once it is bound, the file system may be smaller than the volume, until the node has grown it.
            if is_new {
                status.capacity.clone_from(&spec.capacity);
                status
                    .current_volume_attributes_class_name
                    .clone_from(&spec.volume_attributes_class_name);
            }
        }
    }
    (status != before).then(|| PersistentVolumeClaim {
        status: Some(status),
        ..claim.clone()
    })
}

/// The claim with its provisioner's name, under which that one finds it; none when it has it.
pub(super) fn provisioned_by(
    claim: &PersistentVolumeClaim,
    provisioner: &str,
) -> Option<PersistentVolumeClaim> {
    if binding::annotation(claim, binding::STORAGE_PROVISIONER) == Some(provisioner) {
        return None;
    }
    let mut after = claim.clone();
    let annotations = after.metadata.annotations.get_or_insert_default();
    for name in [
        binding::STORAGE_PROVISIONER,
        binding::STORAGE_PROVISIONER_OF_OLD,
    ] {
        annotations.insert(name.to_owned(), provisioner.to_owned());
    }
    Some(after)
}

#[cfg(test)]
mod tests;
