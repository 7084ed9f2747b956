//! VolumeAttributesClasses that a claim or volume names outlast their deletion until none does.
//!
//! It trusts its caches: a claim that names a class in the moment in which that class is let go may find
//! it missing, as in Kubernetes.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::VolumeAttributesClass,
};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store, Watched};
use kube::Api;

use crate::protection::{self, Stage};

const FINALIZER: &str = "kubernetes.io/vac-protection";
const WORKERS: usize = 4;
/// Index of claims and volumes by the classes that they name.
const BY_CLASS: &str = "volumeAttributesClassName";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let classes = ctx.hub.informer::<VolumeAttributesClass>();
    let claims = ctx.hub.informer::<PersistentVolumeClaim>();
    let volumes = ctx.hub.informer::<PersistentVolume>();
    claims.add_index(BY_CLASS, classes_of_claim);
    volumes.add_index(BY_CLASS, classes_of_volume);
    let loop_ = Arc::new(Loop {
        classes: classes.store(),
        claims: claims.store(),
        volumes: volumes.store(),
        api: Api::all(ctx.client.clone()),
    });
    Controller::new("volumeattributesclass-protection", ctx)
        .on(&classes, |event| {
            protection::unsettled(&**event.object(), FINALIZER)
        })
        .on(&claims, |event| let_go(event, classes_of_claim))
        .on(&volumes, |event| let_go(event, classes_of_volume))
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    classes: Store<VolumeAttributesClass>,
    claims: Store<PersistentVolumeClaim>,
    volumes: Store<PersistentVolume>,
    api: Api<VolumeAttributesClass>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        if let Some(class) = self.classes.get(&key) {
            match protection::stage(&class.metadata, FINALIZER) {
                Stage::Bare => protection::hold(&self.api, &*class, FINALIZER).await?,
                Stage::Leaving if !self.is_used(&key.name) => {
                    protection::release(&self.api, &*class, FINALIZER).await?;
                }
                Stage::Leaving | Stage::Settled => {}
            }
        }
        Ok(Action::Done)
    }

    fn is_used(&self, class: &str) -> bool {
        !self.volumes.by_index(BY_CLASS, class).is_empty()
            || !self.claims.by_index(BY_CLASS, class).is_empty()
    }
}

/// The classes that an object named before the event and names no more.
fn let_go<K: Watched>(event: &Event<K>, classes_of: fn(&K) -> Vec<String>) -> Vec<Key> {
    let (old, new) = match event {
        Event::Added(_) => return Vec::new(),
        Event::Updated { old, new } => (classes_of(old), classes_of(new)),
        Event::Deleted(old) => (classes_of(old), Vec::new()),
    };
    let gone = old.into_iter().filter(|class| !new.contains(class));
    gone.map(Key::cluster).collect()
}

/// What a claim wants, what its volume has, and what that is being changed to.
fn classes_of_claim(claim: &PersistentVolumeClaim) -> Vec<String> {
    let spec = claim.spec.as_ref();
    let status = claim.status.as_ref();
    let wanted = spec.and_then(|spec| spec.volume_attributes_class_name.clone());
    let current = status.and_then(|status| status.current_volume_attributes_class_name.clone());
    let change = status.and_then(|status| status.modify_volume_status.as_ref());
    let target = change.and_then(|change| change.target_volume_attributes_class_name.clone());
    let mut classes: Vec<String> = [wanted, current, target]
        .into_iter()
        .flatten()
        .filter(|class| !class.is_empty())
        .collect();
    classes.sort();
    classes.dedup();
    classes
}

fn classes_of_volume(volume: &PersistentVolume) -> Vec<String> {
    let spec = volume.spec.as_ref();
    let class = spec.and_then(|spec| spec.volume_attributes_class_name.clone());
    class
        .into_iter()
        .filter(|class| !class.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(spec: &str, current: &str, target: &str) -> Arc<PersistentVolumeClaim> {
        let claim = json!({
            "spec": {"volumeAttributesClassName": spec},
            "status": {
                "currentVolumeAttributesClassName": current,
                "modifyVolumeStatus": {"status": "Pending", "targetVolumeAttributesClassName": target},
            },
        });
        Arc::new(serde_json::from_value(claim).expect("a claim"))
    }

    #[test]
    fn a_claim_uses_all_classes_that_it_goes_through() {
        assert_eq!(classes_of_claim(&claim("a", "b", "a")), ["a", "b"]);
        assert_eq!(classes_of_claim(&claim("", "b", "c")), ["b", "c"]);
        assert!(classes_of_claim(&PersistentVolumeClaim::default()).is_empty());
        let volume = |class: Value| {
            let volume = json!({"spec": {"volumeAttributesClassName": class}});
            classes_of_volume(&serde_json::from_value(volume).expect("a volume"))
        };
        assert_eq!(volume(json!("a")), ["a"]);
        assert!(volume(Value::Null).is_empty());
    }

    #[test]
    fn a_class_is_looked_at_when_it_is_named_no_more() {
        let event = Event::Updated {
            old: claim("a", "b", "a"),
            new: claim("a", "a", "a"),
        };
        assert_eq!(let_go(&event, classes_of_claim), [Key::cluster("b")]);
        let event = Event::Deleted(claim("a", "a", "a"));
        assert_eq!(let_go(&event, classes_of_claim), [Key::cluster("a")]);
        assert!(let_go(&Event::Added(claim("a", "", "")), classes_of_claim).is_empty());
    }
}
