//! Claims that ask for more than they have. Nothing grows here: a CSI driver's own controller grows the volume and the
//! node the file system; users are told for whom the claim waits.

use std::sync::Arc;

use k8s_apimachinery::{
    Quantity,
    volume::{binding, matching},
};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_runtime::{
    Action, Context, Controller, Event, EventRecorder, EventType, Key, Store, reference,
};

const WORKERS: usize = 1;

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let volumes = ctx.hub.informer::<PersistentVolume>();
    let loop_ = Arc::new(Loop {
        claims: claims.store(),
        volumes: volumes.store(),
        events: EventRecorder::new(&ctx, "volume_expand"),
    });
    Controller::new("persistentvolume-expander", ctx)
        .on(&claims, |event| match asks_anew(event) {
            true => vec![Key::of(&**event.object())],
            false => Vec::new(),
        })
        .reads(&volumes)
        .run(WORKERS, move |key| {
            let outcome = loop_.reconcile(&key);
            async move { outcome }
        })
        .await;
}

/// Whether a claim has begun to ask for more, or for yet more.
fn asks_anew(event: &Event<PersistentVolumeClaim>) -> bool {
    let claim = event.object();
    let before = event.old().map(|old| matching::requested(old));
    !matches!(event, Event::Deleted(_))
        && wants_more(claim)
        && before.is_none_or(|before| before < matching::requested(claim))
}

fn wants_more(claim: &PersistentVolumeClaim) -> bool {
    let Some(status) = &claim.status else {
        return false;
    };
    let has = status
        .capacity
        .as_ref()
        .and_then(|capacity| capacity.get("storage"));
    let has: Option<Quantity> = has.and_then(|text| text.0.parse().ok());
    status.phase.as_deref() == Some("Bound")
        && has.is_some_and(|has| has < matching::requested(claim))
}

struct Loop {
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    events: EventRecorder,
}

impl Loop {
    fn reconcile(&self, key: &Key) -> Result<Action, std::convert::Infallible> {
        let claim = self.claims.get(key).filter(|claim| wants_more(claim));
        let volume = claim.as_ref().and_then(|claim| {
            let volume = self
                .volumes
                .get(&Key::cluster(binding::volume_name(claim)?))?;
            binding::is_for(&volume, claim).then_some(volume)
        });
        if let (Some(claim), Some(volume)) = (claim, volume) {
            let message = "Ignoring the PVC: didn't find a plugin capable of expanding the volume; \
                           waiting for an external controller to process this PVC.";
            self.events.event(
                reference(&*claim),
                sort(&volume),
                "ExternalExpanding",
                message,
            );
        }
        Ok(Action::Done)
    }
}

/// A driver can be expected to do it; of other volumes nobody is known who would.
fn sort(volume: &PersistentVolume) -> EventType {
    let is_csi = volume.spec.as_ref().is_some_and(|spec| spec.csi.is_some());
    match is_csi {
        true => EventType::Normal,
        false => EventType::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claim(asks: &str, has: &str) -> Arc<PersistentVolumeClaim> {
        let claim = json!({
            "metadata": {"name": "c"},
            "spec": {"resources": {"requests": {"storage": asks}}},
            "status": {"phase": "Bound", "capacity": {"storage": has}},
        });
        Arc::new(serde_json::from_value(claim).expect("a claim"))
    }

    #[test]
    fn a_claim_is_told_once_for_each_time_it_asks() {
        let grown = |from: (&str, &str), to: (&str, &str)| {
            let (old, new) = (claim(from.0, from.1), claim(to.0, to.1));
            asks_anew(&Event::Updated { old, new })
        };
        assert!(grown(("1Gi", "1Gi"), ("2Gi", "1Gi")));
        assert!(grown(("2Gi", "1Gi"), ("3Gi", "1Gi")));
        assert!(!grown(("2Gi", "1Gi"), ("2Gi", "1Gi")));
        assert!(!grown(("1Gi", "1Gi"), ("2Gi", "2Gi")));
        assert!(asks_anew(&Event::Added(claim("2Gi", "1Gi"))));
    }
}
