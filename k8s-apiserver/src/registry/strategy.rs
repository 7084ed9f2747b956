//! What differs from kind to kind: one [`Strategy`] per kind, each in `registry/<group>/<kind>.rs`.
//!
//! A strategy is pure: it edits trees and answers questions, and what it wants written beside the object it returns
//! as [`Effects`]. Defaults and validation are not here but in `k8s_apimachinery::api`, so that clients can use them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    api::{self, Rules},
    scheme::{gvk::Gvk, schema::Schema},
    table::{ColumnDefinition, age_of},
};

use super::{Change, Effects, KindRow, Notices, View};
use crate::{ApiError, User};

/// What a strategy may know about the write that it prepares.
#[derive(Debug, Clone, Copy)]
pub struct WriteContext<'a> {
    /// Who writes.
    pub user: &'a User,
    /// The server's time.
    pub now: Timestamp,
    /// `status`, `scale`; empty for the object itself.
    pub subresource: &'a str,
    /// Takes warnings for the client and annotations for the audit log.
    pub notices: &'a Notices,
}

/// How long a deletion waits, if it waits at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// The object goes as soon as its finalizers allow.
    None,
    /// `deletionTimestamp` is set and the object stays until someone deletes it with zero grace.
    Seconds(i64),
}

/// The behaviour of one kind on top of what is the same for all.
///
/// Only [`kind`](Strategy::kind) must be written. The default methods treat an object as `spec` and `status`: creates
/// drop the status, updates keep the old one, and updates of `status` change nothing else.
pub trait Strategy: Send + Sync + 'static {
    /// The row for the kind table. Asked once, when the kind is registered.
    fn kind(&self) -> KindRow;

    /// Defaulting and validation; `None` for built-in kinds, whose rules are found by the kind.
    fn rules(&self) -> Option<&dyn Rules> {
        None
    }

    /// The structural schema of a version; `None` for built-in kinds, whose schema is found by the kind.
    fn schema(&self, _gvk: &Gvk) -> Option<Arc<Schema>> {
        None
    }

    /// Edits an object that is about to be created, after mutating admission and before validation. Metadata common
    /// to all kinds (name, uid, generation, timestamps) is taken care of.
    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.remove(&["status"]);
    }

    /// Edits an object that is about to replace `old`. With an empty `ctx.subresource` the status is kept as it was;
    /// with `status` everything else is. `metadata.generation` is taken care of afterwards. Other subresources come
    /// from this server's own code (`binding`, `finalize`) and change what they have to.
    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        match ctx.subresource {
            "status" => keep_all_but_status(new, old),
            "" | "scale" => keep(new, old, &["status"]),
            _ => {}
        }
    }

    /// How long an object stays after it was written last; `None` is until it is deleted.
    fn ttl(&self) -> Option<Duration> {
        None
    }

    /// The paths that field selectors may name, beside `metadata.name` and `metadata.namespace`.
    fn selectable(&self) -> &'static [&'static str] {
        &[]
    }

    /// The values of [`selectable`](Strategy::selectable) fields, in that order. The default reads the paths; what is
    /// absent is the empty string.
    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        self.selectable()
            .iter()
            .map(|&path| (path, text_at(object, path)))
            .collect()
    }

    /// The columns of `kubectl get`, those of `-o wide` with priority 1. The first is `Name`, the last usually `Age`.
    fn columns(&self) -> &'static [ColumnDefinition] {
        &NAME_AND_AGE
    }

    /// One cell per column.
    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![object.name().into(), age_of(object, now).into()]
    }

    /// Edits an object whose deletion begins: its `deletionTimestamp` was just set and it stays for now.
    fn prepare_delete(&self, _object: &mut Object) {}

    /// Whether something still holds an object whose deletion has begun. The default looks at `metadata.finalizers`.
    fn is_held(&self, object: &Object) -> bool {
        object.finalizers().next().is_some()
    }

    /// How long a delete of this object waits. `requested` is the client's `gracePeriodSeconds`.
    fn grace(&self, _object: &Object, _requested: Option<i64>) -> Grace {
        Grace::None
    }

    /// Writes and compares that must commit together with the object: allocations, charges. May edit the new object
    /// (to put the allocated value in). Called again after a lost race, so it must not remember anything.
    fn effects(&self, _change: &mut Change<'_>, _view: &View<'_>) -> Result<Effects, ApiError> {
        Ok(Effects::default())
    }

    /// An object of this kind in another version: pure, and nothing is lost there and back. The default knows the
    /// built-in kinds; where two versions look alike, only the `apiVersion` changes.
    fn convert(&self, object: Object, to: &Gvk) -> Object {
        api::convert(object, to)
    }
}

/// What `kubectl get` shows of kinds that define nothing better.
static NAME_AND_AGE: [ColumnDefinition; 2] = [ColumnDefinition::NAME, ColumnDefinition::AGE];

/// Puts a top-level field back as it was.
pub fn keep(new: &mut Object, old: &Object, path: &[&str]) {
    match old.get(path) {
        Some(value) => new.set(path, value.clone()),
        None => {
            new.remove(path);
        }
    }
}

/// Takes the status, and the metadata that a status update may change, from `new`, and the rest from `old`.
///
/// As in Kubernetes, labels, annotations, finalizers and owner references are not changed through `status`; managed
/// fields and the resource version are left to the caller.
pub fn keep_all_but_status(new: &mut Object, old: &Object) {
    let mut merged = old.clone();
    match new.remove(&["status"]) {
        Some(status) => merged.set(&["status"], status),
        None => {
            merged.remove(&["status"]);
        }
    }
    for field in ["managedFields", "resourceVersion"] {
        keep(&mut merged, new, &["metadata", field]);
    }
    *new = merged;
}

/// A scalar at a dotted path, as field selectors compare it.
fn text_at(object: &Object, path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match object.get(&parts) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
