//! Which objects a controller may call its own.
//!
//! An object belongs to the one owner that its controller reference names. An object without one
//! may be adopted by an owner whose selector matches; an owner whose selector no longer matches
//! lets go. The same rules hold for pods of a ReplicaSet and ReplicaSets of a Deployment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams},
    core::{Selector, SelectorExt},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// What an owner and an object are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is controlled by the owner, and the selector matches.
    Owned,
    /// It is nobody's, and the selector matches.
    Adopt,
    /// It is controlled by the owner, but the selector no longer matches.
    Release,
    /// It is none of the owner's business.
    Foreign,
}

/// Decides what `object` is to `owner`.
pub(crate) fn claim(owner: &ObjectMeta, selector: &Selector, object: &ObjectMeta) -> Claim {
    let is_match = matches(selector, object);
    let is_owner_going = owner.deletion_timestamp.is_some();
    match controller_of(object) {
        Some(controller) if Some(&controller.uid) != owner.uid.as_ref() => Claim::Foreign,
        Some(_) if is_match => Claim::Owned,
        Some(_) if is_owner_going => Claim::Foreign,
        Some(_) => Claim::Release,
        None if is_owner_going || !is_match || object.deletion_timestamp.is_some() => {
            Claim::Foreign
        }
        None => Claim::Adopt,
    }
}

/// The reference to the owner that controls an object.
pub(crate) fn controller_of(object: &ObjectMeta) -> Option<&OwnerReference> {
    let mut owners = object.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true))
}

/// A label selector ready to match; one that is invalid or empty matches nothing, since here an
/// empty selector would claim every object of the namespace.
pub(crate) fn selector(selector: &LabelSelector) -> Option<Selector> {
    let selector = Selector::try_from(selector.clone()).ok()?;
    (!selector.selects_all()).then_some(selector)
}

/// Whether the object's labels match.
pub(crate) fn matches(selector: &Selector, object: &ObjectMeta) -> bool {
    match &object.labels {
        Some(labels) => selector.matches(labels),
        None => selector.matches(&Default::default()),
    }
}

/// The reference that makes `owner` the controller of what it creates or adopts.
pub(crate) fn controller_reference<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    let meta = owner.meta();
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Makes `owner` the controller of an orphan. The uid in the patch guards against a successor of
/// the same name.
pub(crate) async fn adopt<K>(
    api: &Api<K>,
    owner: OwnerReference,
    orphan: &ObjectMeta,
) -> Result<K, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    patch_owners(api, json!([owner]), orphan).await
}

/// Lets go of an object that `owner` controls; one that is gone already needs no letting go.
pub(crate) async fn release<K>(
    api: &Api<K>,
    owner_uid: &str,
    object: &ObjectMeta,
) -> Result<(), kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let removal = json!([{"$patch": "delete", "uid": owner_uid}]);
    match patch_owners(api, removal, object).await {
        Err(kube::Error::Api(status)) if status.is_not_found() || status.code == 422 => Ok(()),
        other => other.map(drop),
    }
}

async fn patch_owners<K>(
    api: &Api<K>,
    owners: impl Serialize,
    object: &ObjectMeta,
) -> Result<K, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let name = object.name.as_deref().unwrap_or_default();
    let change = json!({"metadata": {"uid": object.uid, "ownerReferences": owners}});
    api.patch(name, &PatchParams::default(), &Patch::Strategic(change))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(value: serde_json::Value) -> ObjectMeta {
        serde_json::from_value(value).expect("metadata")
    }

    #[track_caller]
    fn check(object: serde_json::Value, owner_going: bool, expected: Claim) {
        let mut owner = json!({"name": "web", "uid": "u1"});
        if owner_going {
            owner["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        let web = Selector::from_iter([("app", "web")]);
        assert_eq!(claim(&meta(owner), &web, &meta(object)), expected);
    }

    #[test]
    fn the_controller_reference_decides_then_the_selector() {
        let owned_by = |uid: &str, app: &str| {
            json!({"labels": {"app": app}, "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": uid, "controller": true}
            ]})
        };
        check(owned_by("u1", "web"), false, Claim::Owned);
        check(owned_by("u1", "web"), true, Claim::Owned);
        check(owned_by("u1", "other"), false, Claim::Release);
        check(owned_by("u1", "other"), true, Claim::Foreign);
        check(owned_by("u2", "web"), false, Claim::Foreign);
    }

    #[test]
    fn an_orphan_is_adopted_only_by_the_living_and_only_alive() {
        let orphan = json!({"labels": {"app": "web"}});
        check(orphan.clone(), false, Claim::Adopt);
        check(orphan, true, Claim::Foreign);
        let going = json!({"labels": {"app": "web"}, "deletionTimestamp": "2026-01-01T00:00:00Z"});
        check(going, false, Claim::Foreign);
        check(json!({"labels": {"app": "other"}}), false, Claim::Foreign);
    }
}
