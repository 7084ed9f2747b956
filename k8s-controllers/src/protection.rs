//! Finalizers that hold what is in use: put on by admission, or here if that didn't happen, and taken off
//! once an object is both deleted and unused.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_runtime::{Key, Object};
use kube::{Api, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};

/// Where an object stands with its protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It lives and lacks the finalizer.
    Bare,
    /// It is deleted, and the finalizer is what may hold it.
    Leaving,
    /// There is nothing to do.
    Settled,
}

/// The stage of an object, by its metadata.
pub(crate) fn stage(meta: &ObjectMeta, finalizer: &str) -> Stage {
    let is_held = meta.finalizers.iter().flatten().any(|it| it == finalizer);
    match (meta.deletion_timestamp.is_some(), is_held) {
        (false, false) => Stage::Bare,
        (true, true) => Stage::Leaving,
        _ => Stage::Settled,
    }
}

/// The key of an object about which there is something to do.
pub(crate) fn unsettled<K: Object>(object: &K, finalizer: &str) -> Vec<Key> {
    match stage(object.meta(), finalizer) {
        Stage::Settled => Vec::new(),
        _ => vec![Key::of(object)],
    }
}

/// Puts the finalizer on.
pub(crate) async fn hold<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), kube::Error>
where
    K: Object + Serialize + DeserializeOwned,
{
    let mut held = object.clone();
    let finalizers = held.meta_mut().finalizers.get_or_insert_default();
    finalizers.push(finalizer.to_owned());
    replace(api, &held).await
}

/// Takes the finalizer off.
pub(crate) async fn release<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), kube::Error>
where
    K: Object + Serialize + DeserializeOwned,
{
    let mut free = object.clone();
    let finalizers = free.meta_mut().finalizers.get_or_insert_default();
    finalizers.retain(|it| it != finalizer);
    tracing::info!(object = %Key::of(object), finalizer, "unused, and let go");
    replace(api, &free).await
}

/// Replaces the state that was looked at and no other.
async fn replace<K>(api: &Api<K>, object: &K) -> Result<(), kube::Error>
where
    K: Object + Serialize + DeserializeOwned,
{
    let name = object.meta().name.as_deref().unwrap_or_default();
    match api.replace(name, &PostParams::default(), object).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn only_what_lacks_protection_or_leaves_with_it_needs_work() {
        let meta = |is_deleted: bool, finalizers: &[&str]| ObjectMeta {
            deletion_timestamp: is_deleted.then_some(Time(Timestamp::UNIX_EPOCH)),
            finalizers: Some(finalizers.iter().map(|it| (*it).to_owned()).collect()),
            ..ObjectMeta::default()
        };
        for (meta, want) in [
            (meta(false, &[]), Stage::Bare),
            (meta(false, &["other"]), Stage::Bare),
            (meta(false, &["other", "ours"]), Stage::Settled),
            (meta(true, &["other", "ours"]), Stage::Leaving),
            (meta(true, &["other"]), Stage::Settled),
            (ObjectMeta::default(), Stage::Bare),
        ] {
            assert_eq!(stage(&meta, "ours"), want, "{meta:?}");
        }
    }
}
