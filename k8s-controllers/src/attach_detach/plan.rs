//! What to attach to a node, what to detach, and what to say about it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{AttachedVolume, PersistentVolume, Pod};

use super::view::{self, View, Wanted};

/// A volume that a node uses is taken from it after this long, if the node isn't healthy.
const MAX_WAIT_FOR_UNMOUNT: Duration = Duration::from_secs(6 * 60);

/// What a round does, in this order.
#[derive(Default)]
pub(super) struct Plan {
    /// What the node's status shall name as attached, if it names something else.
    pub(super) report: Option<Vec<AttachedVolume>>,
    /// Attachments to delete, by name.
    pub(super) detach: Vec<String>,
    /// Attachments to make, by name, for these volumes.
    pub(super) attach: Vec<(String, Arc<PersistentVolume>)>,
    /// What to tell the pods about an attachment.
    pub(super) notes: Vec<Note>,
    /// When to look again, even if nothing changes.
    pub(super) again: Option<Duration>,
}

/// What users shall read about an attachment.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) pod: Arc<Pod>,
    pub(super) is_good: bool,
    pub(super) message: String,
}

/// What to do now.
pub(super) fn plan(view: &View, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut attached = Vec::new();
    for attachment in &view.attachments {
        let is_wanted = view.wanted.contains_key(attachment.name());
        let is_held = match (is_wanted, attachment.unwanted_since) {
            (true, _) => true,
            (false, since) => held_for(view, attachment.device.as_deref(), since, now, &mut plan),
        };
        if is_held && attachment.is_attached() && !attachment.is_going() {
            attached.extend(attachment.device.clone());
        }
        if !is_held && !attachment.is_going() {
            plan.detach.push(attachment.name().to_owned());
        }
    }
    for (name, wanted) in &view.wanted {
        let mut existing = view.attachments.iter();
        match existing.find(|attachment| attachment.name() == name) {
            // One that is going has to be gone first.
            Some(attachment) => report(view, wanted, attachment, &mut plan),
            None if wanted.is_taken => {
                let notes = wanted.pods.iter().map(|pod| taken(wanted, pod));
                plan.notes.extend(notes);
            }
            None => plan.attach.push((name.clone(), wanted.volume.clone())),
        }
    }
    plan.report = changed(view, attached);
    plan
}

/// Whether the node may still write to a volume that no pod needs.
fn held_for(
    view: &View,
    device: Option<&str>,
    since: Option<Timestamp>,
    now: Timestamp,
    plan: &mut Plan,
) -> bool {
    let Some(node) = &view.node else {
        return false;
    };
    if !device.is_some_and(|device| view.uses(device)) || view.is_out_of_service() {
        return false;
    }
    let waited = since.map_or(Duration::ZERO, |since| {
        now.duration_since(since).unsigned_abs()
    });
    let left = MAX_WAIT_FOR_UNMOUNT.saturating_sub(waited);
    if !left.is_zero() {
        plan.again = Some(plan.again.map_or(left, |again| again.min(left)));
        return true;
    }
    view::is_healthy(node)
}

/// The change of the node's list, if any.
fn changed(view: &View, mut attached: Vec<String>) -> Option<Vec<AttachedVolume>> {
    let status = view.node.as_ref()?.status.clone().unwrap_or_default();
    let mut known: Vec<_> = status.volumes_attached.unwrap_or_default();
    known.sort_by(|a, b| a.name.cmp(&b.name));
    attached.sort();
    let is_same = known.iter().map(|volume| &volume.name).eq(&attached);
    (!is_same).then(|| {
        let volumes = attached.into_iter().map(|name| AttachedVolume {
            name,
            device_path: String::new(),
        });
        volumes.collect()
    })
}

fn name_of(volume: &PersistentVolume) -> &str {
    volume.metadata.name.as_deref().unwrap_or_default()
}

/// What became of an attachment that was asked for; that it succeeded is news until the node's list has it.
fn report(view: &View, wanted: &Wanted, attachment: &view::Attachment, plan: &mut Plan) {
    let volume = name_of(&wanted.volume);
    let status = attachment.object.status.as_ref();
    let error = status.and_then(|status| status.attach_error.as_ref()?.message.clone());
    let (is_good, message) = match error {
        _ if attachment.is_attached() && view.lists(attachment) => return,
        _ if attachment.is_attached() => (
            true,
            format!("AttachVolume.Attach succeeded for volume {volume:?} "),
        ),
        Some(error) => (
            false,
            format!("AttachVolume.Attach failed for volume {volume:?} : {error}"),
        ),
        None => return,
    };
    plan.notes.extend(wanted.pods.iter().map(|pod| Note {
        pod: pod.clone(),
        is_good,
        message: message.clone(),
    }));
}

/// Names only pods of the reader's own namespace.
fn taken(wanted: &Wanted, pod: &Arc<Pod>) -> Note {
    let namespace = &pod.metadata.namespace;
    let (near, far): (Vec<_>, Vec<_>) = wanted
        .others
        .iter()
        .partition(|other| other.metadata.namespace == *namespace);
    let names = near.iter().filter_map(|pod| pod.metadata.name.clone());
    let names = names.collect::<Vec<_>>().join(", ");
    let far = match far.len() {
        0 => None,
        count => Some(format!("{count} pod(s) in different namespaces")),
    };
    let reason = match (names.is_empty(), far) {
        (true, None) => {
            "Volume is already exclusively attached to one node and can't be attached to another"
                .to_owned()
        }
        (true, Some(far)) => format!("Volume is already used by {far}"),
        (false, None) => format!("Volume is already used by pod(s) {names}"),
        (false, Some(far)) => format!("Volume is already used by pod(s) {names} and {far}"),
    };
    Note {
        pod: pod.clone(),
        is_good: false,
        message: format!(
            "Multi-Attach error for volume {:?} {reason}",
            name_of(&wanted.volume)
        ),
    }
}

#[cfg(test)]
mod tests;
