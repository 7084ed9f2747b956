//! Claims of pods' own: each ephemeral volume of a pod gets one, which the garbage collector takes away with the pod.

use std::sync::Arc;

use k8s_apimachinery::volume::claim::{ClaimOf, check_made_for, claims_of};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_runtime::{Action, Context, Controller, Event, EventRecorder, Key, Store, reference};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

use crate::{claim, said};

const WORKERS: usize = 4;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let pods = ctx.hub.informer::<Pod>();
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let loop_ = Arc::new(Loop {
        pods: pods.store(),
        claims: claims.store(),
        events: EventRecorder::new(&ctx, "ephemeral_volume"),
        ctx: ctx.clone(),
    });
    Controller::new("ephemeral-volume", ctx)
        .on(&pods, |event| match wants_claims(event.object()) {
            true => vec![Key::of(&**event.object())],
            false => Vec::new(),
        })
        .on(&claims, |event| match event {
            Event::Deleted(gone) => crate::owner_key::<Pod>(&gone.metadata)
                .into_iter()
                .collect(),
            Event::Added(_) | Event::Updated { .. } => Vec::new(),
        })
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

/// A pod that is going starts no containers any more.
fn wants_claims(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && claims_of(pod).any(|claim| claim.is_ephemeral)
}

struct Loop {
    ctx: Context,
    pods: Store<Pod>,
    claims: Store<PersistentVolumeClaim>,
    events: EventRecorder,
}

/// Why a pod has to be looked at again.
#[derive(Debug, thiserror::Error)]
#[error("ephemeral volume {volume}: {reason}")]
struct Unmade {
    volume: String,
    reason: String,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, Unmade> {
        let pod = self.pods.get(&key).filter(|pod| wants_claims(pod));
        let Some(pod) = pod else {
            return Ok(Action::Done);
        };
        for wanted in claims_of(&pod).filter(|claim| claim.is_ephemeral) {
            self.make(&pod, &wanted).await.map_err(|reason| {
                let volume = wanted.volume.name.clone();
                let unmade = Unmade { volume, reason };
                let message = unmade.to_string();
                self.events
                    .warning(reference(&*pod), "FailedBinding", message);
                unmade
            })?;
        }
        Ok(Action::Done)
    }

    /// Makes a claim, unless it is there; one that is somebody else's is an error.
    async fn make(&self, pod: &Pod, wanted: &ClaimOf<'_>) -> Result<(), String> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        if let Some(claim) = self.claims.get(&Key::new(namespace, &wanted.name)) {
            return check_made_for(pod, &claim);
        }
        let Some(claim) = claim_for(pod, wanted) else {
            return Ok(());
        };
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.ctx.client.clone(), namespace);
        match api.create(&PostParams::default(), &claim).await {
            Ok(_) => Ok(()),
            Err(error) if crate::namespace::is_terminating(&error) => Ok(()),
            Err(error) => Err(format!("create PVC {}: {}", wanted.name, said(&error))),
        }
    }
}

fn claim_for(pod: &Pod, wanted: &ClaimOf<'_>) -> Option<PersistentVolumeClaim> {
    let source = wanted.volume.ephemeral.as_ref()?;
    let template = source.volume_claim_template.clone()?;
    let meta = template.metadata.unwrap_or_default();
    Some(PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(wanted.name.clone()),
            namespace: pod.metadata.namespace.clone(),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: Some(vec![claim::controller_reference(pod)]),
            ..ObjectMeta::default()
        },
        spec: Some(template.spec),
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_follows_the_template_and_goes_with_the_pod() {
        let template =
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"storageClassName": "x"}});
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "1"},
            "spec": {"containers": [], "volumes": [{"name": "tmp", "ephemeral": {"volumeClaimTemplate": template}}]},
        }))
        .expect("a pod");
        assert!(wants_claims(&pod));
        let wanted = claims_of(&pod).next().expect("a claim is wanted");
        let claim = claim_for(&pod, &wanted).expect("there is a template");
        assert_eq!(Key::of(&claim), Key::new("ns", "p-tmp"));
        assert_eq!(check_made_for(&pod, &claim), Ok(()));
        let spec = claim.spec.expect("a spec");
        assert_eq!(spec.storage_class_name.as_deref(), Some("x"));
        assert_eq!(claim.metadata.labels.expect("labels")["a"], "b");
    }
}
