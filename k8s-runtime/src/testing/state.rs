//! The objects, their history, and what each verb does to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::object::{Path, failure};
use crate::{Clock, TokioClock};

/// Collection, namespace, name.
type Place = (String, String, String);

pub(super) struct State {
    pub(super) revision: u64,
    /// Watches from before this have expired.
    pub(super) compacted: u64,
    pub(super) failures: usize,
    pub(super) requests: Vec<String>,
    /// Every change since the last compaction.
    pub(super) log: Vec<Change>,
    objects: BTreeMap<Place, Value>,
    clock: TokioClock,
}

#[derive(Clone)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) place: Place,
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

/// An object, or the `Status` that says why not.
type Answer = Result<Value, Value>;

impl State {
    pub(super) fn new() -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a valid time");
        Self {
            revision: 0,
            compacted: 0,
            failures: 0,
            requests: Vec::new(),
            log: Vec::new(),
            objects: BTreeMap::new(),
            clock: TokioClock::new(start),
        }
    }

    pub(super) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
        self.log.clear();
    }

    pub(super) fn list(&self, path: &Path) -> Vec<Value> {
        let in_scope = |place: &Place| is_in(place, path);
        let found = self.objects.iter().filter(|(place, _)| in_scope(place));
        found.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn get(&self, path: &Path) -> Answer {
        let found = self.objects.get(&place(path)).cloned();
        found.ok_or_else(|| failure(404, "NotFound", format!("{} not found", path.name)))
    }

    pub(super) fn create(&mut self, path: &Path, mut object: Value) -> Answer {
        let revision = self.revision + 1;
        let meta = metadata(&mut object);
        if text(meta, "name").is_empty() {
            let name = format!("{}{revision:05}", text(meta, "generateName"));
            meta.insert("name".into(), name.into());
        }
        if !path.namespace.is_empty() {
            meta.insert("namespace".into(), path.namespace.clone().into());
        }
        meta.entry("uid")
            .or_insert_with(|| format!("uid-{revision}").into());
        meta.insert("generation".into(), 1.into());
        let now = self.clock.now().to_string();
        meta.entry("creationTimestamp").or_insert(now.into());
        let path = Path {
            name: text(meta, "name"),
            ..path.clone()
        };
        if self.objects.contains_key(&place(&path)) {
            let message = format!("{} already exists", path.name);
            return Err(failure(409, "AlreadyExists", message));
        }
        Ok(self.commit(place(&path), "ADDED", object))
    }

    pub(super) fn update(&mut self, path: &Path, mut new: Value) -> Answer {
        let old = self.get(path)?;
        let (old_meta, new_meta) = (&old["metadata"], metadata(&mut new));
        let claimed = text(new_meta, "resourceVersion");
        if !claimed.is_empty() && old_meta["resourceVersion"] != claimed {
            let message = "the object has been modified; please apply your changes to the latest version and try again";
            return Err(failure(409, "Conflict", message));
        }
        for kept in [
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "generation",
            "name",
            "namespace",
        ] {
            match &old_meta[kept] {
                Value::Null => new_meta.remove(kept),
                value => new_meta.insert(kept.into(), value.clone()),
            };
        }
        if path.subresource.is_empty() {
            new["status"] = old["status"].clone();
            if new["spec"] != old["spec"] {
                let generation = old_meta["generation"].as_i64().unwrap_or(1);
                new["metadata"]["generation"] = (generation + 1).into();
            }
        } else if path.subresource == "status" {
            let status = new["status"].take();
            new = old.clone();
            new["status"] = status;
        }
        if new["status"].is_null() {
            new.as_object_mut().map(|object| object.remove("status"));
        }
        let mut same = new.clone();
        same["metadata"]["resourceVersion"] = old_meta["resourceVersion"].clone();
        if same == old {
            return Ok(old);
        }
        let is_finished = !new["metadata"]["deletionTimestamp"].is_null() && !has_finalizers(&new);
        let kind = if is_finished { "DELETED" } else { "MODIFIED" };
        Ok(self.commit(place(path), kind, new))
    }

    pub(super) fn patch(&mut self, path: &Path, patch: &Value) -> Answer {
        let mut object = self.get(path)?;
        json_patch::merge(&mut object, patch);
        if patch["metadata"]["resourceVersion"].is_null() {
            metadata(&mut object).remove("resourceVersion");
        }
        self.update(path, object)
    }

    pub(super) fn delete(&mut self, path: &Path, options: &Value) -> Answer {
        let live = self.get(path)?;
        let mut object = live.clone();
        let wanted = &options["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != object["metadata"]["uid"] {
            let message = "the UID in the precondition does not match";
            return Err(failure(409, "Conflict", message));
        }
        let finalizer = match options["propagationPolicy"].as_str() {
            Some("Foreground") => Some("foregroundDeletion"),
            Some("Orphan") => Some("orphan"),
            _ => None,
        };
        let now = self.clock.now().to_string();
        let meta = metadata(&mut object);
        if let Some(finalizer) = finalizer {
            let finalizers = meta.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(finalizers) = finalizers.as_array_mut()
                && !finalizers.contains(&finalizer.into())
            {
                finalizers.push(finalizer.into());
            }
        }
        let kind = if has_finalizers(&object) {
            metadata(&mut object)
                .entry("deletionTimestamp")
                .or_insert(now.into());
            "MODIFIED"
        } else {
            "DELETED"
        };
        if object == live && kind == "MODIFIED" {
            return Ok(live);
        }
        Ok(self.commit(place(path), kind, object))
    }

    fn commit(&mut self, place: Place, kind: &'static str, mut object: Value) -> Value {
        self.revision += 1;
        let revision = self.revision;
        metadata(&mut object).insert("resourceVersion".into(), revision.to_string().into());
        if kind == "DELETED" {
            self.objects.remove(&place);
        } else {
            self.objects.insert(place.clone(), object.clone());
        }
        self.log.push(Change {
            revision,
            place,
            kind,
            object: object.clone(),
        });
        object
    }
}

fn place(path: &Path) -> Place {
    (
        path.collection.clone(),
        path.namespace.clone(),
        path.name.clone(),
    )
}

pub(super) fn is_in(place: &Place, path: &Path) -> bool {
    place.0 == path.collection && (path.namespace.is_empty() || place.1 == path.namespace)
}

fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]
        .as_object_mut()
        .expect("made an object above")
}

fn text(meta: &Map<String, Value>, field: &str) -> String {
    let value = meta.get(field).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|finalizers| !finalizers.is_empty())
}
