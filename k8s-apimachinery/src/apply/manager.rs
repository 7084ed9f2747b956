//! Who owns which fields: `metadata.managedFields`.

use serde_json::{Map, Value, json};

use super::field_set::FieldSet;
use crate::object::Object;

/// Most entries of updating managers; the oldest beyond them are joined under [`ANCIENT`].
const MAX_UPDATERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Create, update and all other patches.
    Update,
}

/// Who writes, how and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manager<'a> {
    /// `?fieldManager=`, or the first part of the user agent.
    pub name: &'a str,
    /// How.
    pub operation: Operation,
    /// The version that the manager speaks: `apps/v1`.
    pub api_version: &'a str,
    /// `status`; `""` for the object itself.
    pub subresource: &'a str,
    /// Now, RFC 3339.
    pub time: &'a str,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) fields: FieldSet,
}

/// All entries of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Managers(pub(super) Vec<Entry>);

impl Entry {
    pub(super) fn new(manager: &Manager<'_>, fields: FieldSet) -> Self {
        Self {
            name: manager.name.to_owned(),
            operation: manager.operation,
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            time: Some(manager.time.to_owned()),
            fields,
        }
    }

    /// Whether the manager writes into this entry. An applier has one entry, whatever version it speaks.
    pub(super) fn is_of(&self, manager: &Manager<'_>) -> bool {
        self.name == manager.name
            && self.operation == manager.operation
            && self.subresource == manager.subresource
            && (self.operation == Operation::Apply || self.api_version == manager.api_version)
    }

    /// The manager as messages show it: `"kubectl" using apps/v1`; of appliers the name is enough.
    pub(super) fn display(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text += &format!(" with subresource {:?}", self.subresource);
        }
        if self.operation == Operation::Update {
            text += &format!(" using {}", self.api_version);
        }
        text
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Self {
            name: text("manager").to_owned(),
            operation,
            api_version: text("apiVersion").to_owned(),
            subresource: text("subresource").to_owned(),
            time: value.get("time").and_then(Value::as_str).map(str::to_owned),
            fields: FieldSet::from_fields_v1(value.get("fieldsV1")?),
        })
    }

    fn write(&self) -> Value {
        let operation = match self.operation {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        };
        let mut entry = Map::new();
        let mut set = |name: &str, text: &str| {
            if !text.is_empty() {
                entry.insert(name.to_owned(), text.into());
            }
        };
        set("manager", &self.name);
        set("operation", operation);
        set("apiVersion", &self.api_version);
        set("subresource", &self.subresource);
        set("time", self.time.as_deref().unwrap_or_default());
        set("fieldsType", "FieldsV1");
        entry.insert("fieldsV1".to_owned(), self.fields.to_fields_v1());
        Value::Object(entry)
    }
}

impl Managers {
    /// Reads an object's entries. Nothing when there is an entry that can't be read.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let entries = object
            .get(&["metadata", "managedFields"])
            .and_then(Value::as_array);
        entries
            .map_or(Some(Vec::new()), |entries| {
                entries.iter().map(Entry::read).collect()
            })
            .map(Self)
    }

    /// Writes the entries into an object, in Kubernetes' order: appliers first, then by age.
    pub(super) fn store(mut self, object: &mut Object) {
        self.0.retain(|entry| !entry.fields.is_empty());
        self.sort();
        self.join_ancient();
        if self.0.is_empty() {
            object.remove(&["metadata", "managedFields"]);
            return;
        }
        let entries = self.0.iter().map(Entry::write).collect();
        object
            .metadata_mut()
            .insert("managedFields".to_owned(), Value::Array(entries));
    }

    /// Takes fields from every manager that `from` is true of.
    pub(super) fn subtract(&mut self, fields: &FieldSet, from: impl Fn(&Entry) -> bool) {
        for entry in self.0.iter_mut().filter(|entry| from(entry)) {
            entry.fields.subtract(fields);
        }
    }

    /// The fields that anybody owns.
    pub(super) fn owned(&self) -> FieldSet {
        let mut owned = FieldSet::default();
        for entry in &self.0 {
            owned.union(&entry.fields);
        }
        owned
    }

    fn sort(&mut self) {
        self.0.sort_by(|a, b| {
            let age = |entry: &Entry| (entry.time.is_none(), entry.time.clone());
            let rest = |entry: &Entry| {
                (
                    entry.name.clone(),
                    entry.api_version.clone(),
                    entry.subresource.clone(),
                )
            };
            a.operation
                .cmp(&b.operation)
                .then_with(|| age(a).cmp(&age(b)))
                .then_with(|| rest(a).cmp(&rest(b)))
        });
    }

    fn join_ancient(&mut self) {
        let is_updater = |entry: &Entry| entry.operation == Operation::Update;
        let first = self.0.iter().position(is_updater).unwrap_or(self.0.len());
        let excess = (self.0.len() - first).saturating_sub(MAX_UPDATERS);
        if excess == 0 {
            return;
        }
        let oldest: Vec<Entry> = self.0.drain(first..=first + excess).collect();
        let mut joined: Vec<Entry> = Vec::new();
        for entry in oldest {
            match joined
                .iter_mut()
                .find(|known| known.api_version == entry.api_version)
            {
                Some(known) => {
                    known.fields.union(&entry.fields);
                    known.time = entry.time;
                }
                None => joined.push(Entry {
                    name: ANCIENT.to_owned(),
                    subresource: String::new(),
                    ..entry
                }),
            }
        }
        self.0.splice(first..first, joined);
    }
}

/// The metadata that the server sets, or that says which object it is: nobody owns it.
pub(super) fn unowned() -> FieldSet {
    let mut set = FieldSet::from_fields_v1(&json!({"f:apiVersion": {}, "f:kind": {}}));
    let metadata: [&[&str]; 9] = [
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ];
    set.union(&metadata.into_iter().collect());
    set
}
