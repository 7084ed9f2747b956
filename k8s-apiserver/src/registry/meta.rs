//! The metadata that the server itself keeps, the same for every kind.

use jiff::{SignedDuration, Timestamp};
use k8s_apimachinery::{Object, Value};

use super::{
    Environment, Resource, Write,
    environment::{generated_name, new_uid, rfc3339},
};
use crate::ApiError;

/// What clients can't set: the server fills it in, or keeps it as it was.
const SERVER_OWNED: [&str; 4] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The path of a field of the metadata.
fn path(field: &str) -> [&str; 2] {
    ["metadata", field]
}

/// Puts an object into the namespace of the request, or says that they differ.
pub(super) fn place(object: &mut Object, write: &Write<'_>) -> Result<(), ApiError> {
    let namespace = match write.resource.row.namespaced {
        true => write.namespace,
        false => "",
    };
    if !object.namespace().is_empty() && object.namespace() != namespace {
        return Err(ApiError::BadRequest(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({:?} != {:?})",
            object.namespace(),
            namespace
        )));
    }
    match namespace {
        "" => drop(object.remove(&path("namespace"))),
        namespace => object.set(&path("namespace"), namespace.into()),
    }
    Ok(())
}

/// The name in the body must be the one in the path; an absent one is taken from there.
pub(super) fn name_as_requested(object: &mut Object, name: &str) -> Result<(), ApiError> {
    match object.name() {
        "" => object.set(&path("name"), name.into()),
        found if found != name => {
            return Err(ApiError::BadRequest(format!(
                "the name of the object ({found}) does not match the name on the URL ({name})"
            )));
        }
        _ => {}
    }
    Ok(())
}

/// Makes the object a new one: uid, creation time, and a generated name if it has a prefix instead of a name.
pub(super) fn begin(object: &mut Object, environment: &dyn Environment) -> Result<(), ApiError> {
    if !object.resource_version().is_empty() {
        return Err(ApiError::BadRequest(
            "resourceVersion should not be set on objects to be created".to_owned(),
        ));
    }
    object.remove(&path("resourceVersion"));
    object.remove(&path("selfLink"));
    for field in SERVER_OWNED {
        object.remove(&path(field));
    }
    if object.name().is_empty() && !object.generate_name().is_empty() {
        let name = generated_name(object.generate_name(), environment);
        object.set(&path("name"), name.into());
    }
    object.set(&path("uid"), new_uid(environment).into());
    let now = rfc3339(environment.now());
    object.set(&path("creationTimestamp"), now.into());
    Ok(())
}

/// Puts back what an update can't change, whether it was left out or altered.
pub(super) fn continue_from(new: &mut Object, old: &Object) {
    new.remove(&path("selfLink"));
    for field in SERVER_OWNED {
        super::keep(new, old, &path(field));
    }
}

/// Generation 1 for kinds that count it; none for others.
pub(super) fn first_generation(object: &mut Object, resource: &Resource) {
    match resource.row.generation {
        true => object.set(&path("generation"), 1.into()),
        false => drop(object.remove(&path("generation"))),
    }
}

/// The old generation, one more if anything but metadata and status differs.
pub(super) fn next_generation(new: &mut Object, old: &Object, resource: &Resource) {
    super::keep(new, old, &path("generation"));
    if resource.row.generation && desired(new).ne(desired(old)) {
        new.set(&path("generation"), (old.generation() + 1).into());
    }
}

/// The fields in which the desired state lies.
fn desired(object: &Object) -> impl Iterator<Item = (&String, &Value)> {
    object.as_map().iter().filter(|(field, _)| {
        !matches!(
            field.as_str(),
            "metadata" | "status" | "kind" | "apiVersion"
        )
    })
}

/// Marks an object as going: it stays for `grace` seconds, or until nothing holds it any more.
///
/// `since` is when the deletion began, so that a shortened grace counts from the first request.
pub(super) fn mark_deleted(object: &mut Object, since: Timestamp, grace: i64) {
    let until = since + SignedDuration::from_secs(grace);
    object.set(&path("deletionTimestamp"), rfc3339(until).into());
    object.set(&path("deletionGracePeriodSeconds"), grace.into());
    let generation = object.generation();
    if generation > 0 {
        object.set(&path("generation"), (generation + 1).into());
    }
}

/// When the deletion of an object began: its deadline less its grace.
pub(super) fn deletion_began(object: &Object) -> Option<Timestamp> {
    let until: Timestamp = object.deletion_timestamp()?.parse().ok()?;
    Some(until - SignedDuration::from_secs(remaining_grace(object)))
}

/// The grace with which an object is going, in seconds.
pub(super) fn remaining_grace(object: &Object) -> i64 {
    object
        .get(&path("deletionGracePeriodSeconds"))
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

/// Whether two states of an object differ in nothing that matters: times of managed fields don't.
pub(super) fn is_unchanged(new: &Object, old: &Object) -> bool {
    let rest = |object: &Object| {
        let mut metadata = object.metadata().cloned().unwrap_or_default();
        metadata.remove("resourceVersion");
        if let Some(Value::Array(managers)) = metadata.get_mut("managedFields") {
            for manager in managers.iter_mut().filter_map(Value::as_object_mut) {
                manager.remove("time");
            }
        }
        metadata
    };
    let but_metadata =
        |object: &'_ Object| object.as_map().len() - usize::from(object.metadata().is_some());
    but_metadata(new) == but_metadata(old)
        && new
            .as_map()
            .iter()
            .filter(|(field, _)| *field != "metadata")
            .all(|(field, value)| old.as_map().get(field) == Some(value))
        && rest(new) == rest(old)
}
