//! Carrying a plan out: first the node is told what it may no longer count on, then volumes are detached, then attached.

use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
};

use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume},
    storage::v1::{VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec},
};
use k8s_runtime::{EventType, Key, reference};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{
    Loop, Memory, everything,
    plan::{Note, Plan},
    view::View,
};

impl Loop {
    pub(super) async fn carry_out(&self, view: &View, plan: &Plan) -> Result<(), kube::Error> {
        if let Some(volumes) = &plan.report {
            let nodes: Api<Node> = Api::all(self.ctx.client.clone());
            let status = Patch::Merge(json!({"status": {"volumesAttached": volumes}}));
            let params = PatchParams::default();
            let patched = nodes.patch_status(&view.name, &params, &status).await;
            gone_is_done(patched)?;
        }
        let attachments: Api<VolumeAttachment> = Api::all(self.ctx.client.clone());
        for name in &plan.detach {
            tracing::info!(node = view.name, attachment = name, "detaching");
            let deleted = attachments.delete(name, &DeleteParams::default()).await;
            gone_is_done(deleted)?;
            if let Some(known) = self.attachments.get(&Key::cluster(name)) {
                self.written.deleted(&everything(), &*known);
            }
        }
        for (name, volume) in &plan.attach {
            let Some(attachment) = attachment(name, volume, &view.name) else {
                continue;
            };
            tracing::info!(node = view.name, attachment = name, "attaching");
            let params = PostParams::default();
            match attachments.create(&params, &attachment).await {
                Ok(created) => self.written.written(&everything(), &created),
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                Err(error) => return Err(error),
            }
        }
        self.tell(&view.name, &plan.notes);
        Ok(())
    }

    /// Says each thing once, for as long as it is so.
    fn tell(&self, node: &str, notes: &[Note]) {
        let text = |note: &Note| {
            let uid = note.pod.metadata.uid.as_deref().unwrap_or_default();
            format!("{uid} {}", note.message)
        };
        let told: BTreeSet<_> = notes.iter().map(text).collect();
        let before = match told.is_empty() {
            true => self.remember().told.remove(node),
            false => self.remember().told.insert(node.to_owned(), told),
        };
        let before = before.unwrap_or_default();
        for note in notes.iter().filter(|note| !before.contains(&text(note))) {
            let (sort, reason) = match note.is_good {
                true => (EventType::Normal, "SuccessfulAttachVolume"),
                false => (EventType::Warning, "FailedAttachVolume"),
            };
            let about = reference(&*note.pod);
            self.events.event(about, sort, reason, note.message.clone());
        }
    }

    pub(super) fn remember(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn attachment(name: &str, volume: &PersistentVolume, node: &str) -> Option<VolumeAttachment> {
    let csi = volume.spec.as_ref()?.csi.as_ref()?;
    Some(VolumeAttachment {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        spec: VolumeAttachmentSpec {
            attacher: csi.driver.clone(),
            node_name: node.to_owned(),
            source: VolumeAttachmentSource {
                persistent_volume_name: volume.metadata.name.clone(),
                inline_volume_spec: None,
            },
        },
        status: None,
    })
}

fn gone_is_done<T>(result: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
