//! Server-side apply (KEP-555): merging a configuration into an object, and keeping book of who owns which field.
//!
//! Pure: the live object and the configuration go in, the new object comes out, with its `managedFields`. Defaults,
//! admission and validation follow; storing it only if the live object hasn't changed meanwhile is the caller's to do.
//!
//! Deliberately not here: the taking over of fields from `kubectl`'s last-applied annotation.

mod compare;
mod conflict;
mod convert;
mod element;
mod field_set;
mod manager;
mod merge;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

pub use conflict::{ApplyError, Conflict, Conflicts};
pub use convert::convert;
pub use field_set::FieldSet;
pub use manager::{Manager, Operation};

use self::{
    compare::compare,
    manager::{Entry, Managers},
};
use crate::{
    object::Object,
    scheme::schema::{Schema, Shape},
};

/// Who owned what there was before anybody applied, where nothing was recorded.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

static UNOWNED: LazyLock<FieldSet> = LazyLock::new(manager::unowned);

/// Applies a configuration, pruned and normalised, to an object, or makes the object.
///
/// The manager owns afterwards what the configuration sets. What it set the last time and no longer does goes, unless
/// others own it. Changing what others own is a conflict; when forced, they lose it. Applying the same again changes
/// nothing, times included.
///
/// ```
/// use k8s_apimachinery::{Object, apply::{self, Manager, Operation}, scheme::Schema};
/// use serde_json::json;
/// let config = Object::from_value(json!({
///     "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"},
/// })).unwrap();
/// let schema = Schema::builtin(&config.gvk()).unwrap();
/// let manager = Manager {
///     name: "me", operation: Operation::Apply, api_version: "v1", subresource: "", time: "2026-01-02T03:04:05Z",
/// };
/// let made = apply::apply(None, &config, &schema, &manager, false)?;
/// assert_eq!(made.get(&["metadata", "managedFields"]).unwrap()[0]["fieldsV1"], json!({"f:data": {"f:k": {}}}));
/// # Ok::<(), apply::ApplyError>(())
/// ```
pub fn apply(
    live: Option<&Object>,
    config: &Object,
    schema: &Schema,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Object, ApplyError> {
    check(config, schema)?;
    let former = live.map_or_else(Managers::default, |live| former(live, schema, manager));
    let mut managers = former.clone();

    let fields = set_by(config, schema, manager);
    let last = managers
        .0
        .iter()
        .position(|entry| entry.is_of(manager))
        .map(|i| managers.0.remove(i));
    let time = last.as_ref().and_then(|last| last.time.clone());
    managers.0.push(Entry {
        time,
        ..Entry::new(manager, fields)
    });

    let mut new = live.cloned().unwrap_or_default();
    merge::merge(new.as_map_mut(), config.as_map(), schema);
    if let Some(last) = &last {
        let mut owned = managers.owned();
        owned.union(&UNOWNED);
        merge::prune(new.as_map_mut(), schema, &last.fields, &owned);
    }

    let found = compare(
        Some(live.map_or(&Map::new(), Object::as_map)),
        new.as_map(),
        schema,
    );
    let changed = found.changed();
    let mut conflicts = Conflicts(Vec::new());
    for entry in managers.0.iter().filter(|entry| !entry.is_of(manager)) {
        conflicts.add(entry, &entry.fields.intersection(&changed));
    }
    if !force && !conflicts.0.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    managers.subtract(&changed, |entry| !entry.is_of(manager));
    managers.subtract(&found.removed, |entry| !entry.is_of(manager));

    let own = managers.0.iter_mut().find(|entry| entry.is_of(manager));
    if let Some(own) = own {
        let is_new = last
            .is_none_or(|last| last.fields != own.fields || last.api_version != own.api_version);
        if is_new || !found.is_same() {
            own.time = Some(manager.time.to_owned());
        }
    }
    managers.store(&mut new);
    Ok(new)
}

/// Records what a create, an update or another patch changed: the manager owns it now, and nobody else does.
///
/// `new` is the state about to be stored. Clients may send `managedFields` back as they read them, leave them out (what
/// was recorded stays) or reset them with a list of one empty entry.
pub fn track_update(
    live: Option<&Object>,
    new: &mut Object,
    schema: &Schema,
    manager: &Manager<'_>,
) {
    let mut managers = sent_managers(live, new);
    let found = compare(live.map(Object::as_map), new.as_map(), schema);

    let mut changed = found.changed();
    managers.subtract(&changed, |_| true);
    managers.subtract(&found.removed, |_| true);
    changed.subtract(&UNOWNED);
    changed.subtract_recursively(&reset(schema, manager));
    if !changed.is_empty() {
        let time = Some(manager.time.to_owned());
        match managers.0.iter_mut().find(|entry| entry.is_of(manager)) {
            Some(own) => {
                own.fields.union(&changed);
                own.time = time;
            }
            None => managers.0.push(Entry::new(manager, changed)),
        }
    }
    managers.store(new);
}

/// The recorded managers; where none are, all there is belongs to a stand-in.
fn former(live: &Object, schema: &Schema, manager: &Manager<'_>) -> Managers {
    let managers = Managers::of(live).unwrap_or_default();
    if !managers.0.is_empty() {
        return managers;
    }
    let mut fields = compare(None, live.as_map(), schema).added;
    fields.subtract(&UNOWNED);
    fields.subtract_recursively(&reset(schema, manager));
    let stand_in = Manager {
        name: BEFORE_FIRST_APPLY,
        operation: Operation::Update,
        subresource: "",
        ..*manager
    };
    Managers(vec![Entry::new(&stand_in, fields)])
}

/// The managers that an update starts from.
fn sent_managers(live: Option<&Object>, new: &Object) -> Managers {
    let recorded = || live.and_then(Managers::of).unwrap_or_default();
    match new
        .get(&["metadata", "managedFields"])
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        None => recorded(),
        Some([Value::Object(only)]) if only.is_empty() => Managers::default(),
        Some([]) => Managers::default(),
        Some(_) => Managers::of(new).unwrap_or_else(recorded),
    }
}

/// The fields that an applier comes to own.
fn set_by(config: &Object, schema: &Schema, manager: &Manager<'_>) -> FieldSet {
    let mut fields = FieldSet::of_map(config.as_map(), schema);
    fields.subtract(&UNOWNED);
    fields.subtract_recursively(&reset(schema, manager));
    fields
}

/// What the endpoint doesn't take: the status, or through `/status` the spec. Nobody comes to own that by sending it.
fn reset(schema: &Schema, manager: &Manager<'_>) -> FieldSet {
    let is_builtin = !schema.type_name().is_empty();
    match manager.subresource {
        "" if is_builtin => FieldSet::from_fields_v1(&json!({"f:status": {}})),
        "status" => FieldSet::from_fields_v1(&json!({"f:spec": {}})),
        _ => FieldSet::default(),
    }
}

fn check(config: &Object, schema: &Schema) -> Result<(), ApplyError> {
    if config
        .get(&["metadata", "managedFields"])
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        return Err(ApplyError::Invalid(
            "metadata.managedFields must be nil".into(),
        ));
    }
    check_object(config.as_map(), schema, "")
}

/// Items of list maps and sets must be told apart.
fn check_object(map: &Map<String, Value>, schema: &Schema, path: &str) -> Result<(), ApplyError> {
    for (name, value) in map {
        if let Some(schema) = schema.child(name) {
            check_value(value, schema, &format!("{path}.{name}"))?;
        }
    }
    Ok(())
}

fn check_value(value: &Value, schema: &Schema, path: &str) -> Result<(), ApplyError> {
    if schema.is_atomic() {
        return Ok(());
    }
    match (value, schema.shape()) {
        (Value::Object(map), _) => check_object(map, schema, path),
        (Value::Array(list), Shape::List { items, .. }) => {
            let mut seen = std::collections::BTreeSet::new();
            for (i, item) in list.iter().enumerate() {
                if let Some(key) = element::missing_key(item, schema) {
                    return Err(ApplyError::Invalid(format!(
                        "{path}: element {i}: associative list with keys has an element that omits key field {key:?} \
                         (and doesn't have default value)"
                    )));
                }
                let step = element::item(item, schema);
                let shown = element::display(&step);
                if !seen.insert(step) {
                    return Err(ApplyError::Invalid(format!(
                        "{path}: duplicate entries for key {shown}"
                    )));
                }
                check_value(item, items.get(), &format!("{path}{shown}"))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
