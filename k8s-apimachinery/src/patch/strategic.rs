//! Strategic merge patch: a merge patch that knows which lists merge, and by which key.
//!
//! Source: "Strategic Merge Patch" in Kubernetes' contributor documentation. Directives among the
//! fields steer it: `$patch` (`replace`, `delete`, `merge`), `$retainKeys`,
//! `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`.

mod order;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::PatchError;
use crate::scheme::schema::{PatchStrategy, Schema};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// Merges the patch into the target, an object of the given schema.
///
/// ```
/// use k8s_apimachinery::{patch::strategic, scheme::{Gvk, Schema}};
/// use serde_json::json;
///
/// let pod = Schema::builtin(&Gvk::new("", "v1", "Pod")).unwrap();
/// let mut target = json!({ "spec": { "containers": [{ "name": "a", "image": "a:1" }, { "name": "b" }] } });
/// let patch = json!({ "spec": { "containers": [{ "name": "a", "image": "a:2" }] } });
/// strategic::apply(&mut target, &patch, &pod).unwrap();
/// assert_eq!(target["spec"]["containers"], json!([{ "name": "a", "image": "a:2" }, { "name": "b" }]));
/// ```
pub fn apply(target: &mut Value, patch: &Value, schema: &Schema) -> Result<(), PatchError> {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => merge_object(target, patch, Some(schema)),
        _ => Err(malformed("a strategic merge patch has to be an object")),
    }
}

/// What `$patch` says.
#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>) -> Result<Directive, PatchError> {
    match patch.get(PATCH) {
        None => Ok(Directive::Merge),
        Some(Value::String(word)) => match word.as_str() {
            "merge" => Ok(Directive::Merge),
            "replace" => Ok(Directive::Replace),
            "delete" => Ok(Directive::Delete),
            other => Err(malformed(&format!("unknown patch type: {other}"))),
        },
        Some(other) => Err(malformed(&format!("unknown patch type: {other}"))),
    }
}

fn merge_object(
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    schema: Option<&Schema>,
) -> Result<(), PatchError> {
    match directive(patch)? {
        Directive::Merge => {}
        Directive::Replace => {
            *target = without_directives(patch);
            return Ok(());
        }
        Directive::Delete => {
            target.clear();
            return Ok(());
        }
    }
    retain_keys(target, patch)?;
    for (key, change) in patch {
        if let Some(field) = key.strip_prefix(DELETE_FROM) {
            delete_scalars(target, field, change)?;
        } else if let Some(field) = key.strip_prefix(SET_ORDER) {
            // With a patch for the field itself, the order is dealt with there.
            if !patch.contains_key(field) {
                set_order(target, field, change, strategy(schema, field))?;
            }
        } else if !key.starts_with('$') {
            let order = patch.get(&format!("{SET_ORDER}{key}"));
            merge_field(target, key, change, order, schema)?;
        }
    }
    Ok(())
}

fn merge_field(
    target: &mut Map<String, Value>,
    key: &str,
    change: &Value,
    order: Option<&Value>,
    schema: Option<&Schema>,
) -> Result<(), PatchError> {
    if change.is_null() {
        target.remove(key);
        return Ok(());
    }
    let strategy = strategy(schema, key);
    let child = schema
        .and_then(|schema| schema.child(key))
        .map(|child| &**child);
    match (target.get_mut(key), change) {
        (Some(Value::Object(current)), Value::Object(change)) if !strategy.replaces => {
            merge_object(current, change, child)
        }
        (Some(Value::Array(current)), Value::Array(change)) if strategy.merges => {
            let before = current.clone();
            merge_list(current, change, strategy.merge_key.as_deref(), child)?;
            if let Some(order) = order {
                let order = list(order, SET_ORDER)?;
                order::arrange(current, &before, order, strategy.merge_key.as_deref());
            }
            Ok(())
        }
        _ => {
            target.insert(key.to_owned(), plain(change));
            Ok(())
        }
    }
}

fn merge_list(
    current: &mut Vec<Value>,
    change: &[Value],
    merge_key: Option<&str>,
    schema: Option<&Schema>,
) -> Result<(), PatchError> {
    let Some(merge_key) = merge_key else {
        for item in change {
            if !current.contains(item) {
                current.push(item.clone());
            }
        }
        return Ok(());
    };
    let mut items = Vec::with_capacity(change.len());
    let mut replaces = false;
    for item in change {
        let item = item
            .as_object()
            .ok_or_else(|| malformed("expected all elements of the list to be objects"))?;
        let directive = directive(item)?;
        // A lone `$patch: replace` among the items concerns the whole list.
        if directive == Directive::Replace && item.len() == 1 {
            replaces = true;
        } else {
            items.push((item, directive));
        }
    }
    if replaces {
        current.clear();
    }
    let item_schema = schema.and_then(Schema::items).map(|items| &**items);
    for (item, directive) in items {
        let key = item.get(merge_key).ok_or_else(|| {
            let shown = Value::Object(item.clone());
            malformed(&format!(
                "map: {shown} does not contain declared merge key: {merge_key}"
            ))
        })?;
        let at = current
            .iter()
            .position(|known| known.get(merge_key) == Some(key));
        match (directive, at) {
            (Directive::Delete, _) => current.retain(|known| known.get(merge_key) != Some(key)),
            (_, None) => current.push(Value::Object(without_directives(item))),
            (_, Some(at)) => match &mut current[at] {
                Value::Object(known) => merge_object(known, item, item_schema)?,
                _ => unreachable!("only an object has a merge key"),
            },
        }
    }
    Ok(())
}

/// `$retainKeys`: what it doesn't name goes, and what the patch sets it has to name.
fn retain_keys(
    target: &mut Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<(), PatchError> {
    let Some(retained) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let retained = list(retained, RETAIN_KEYS)?;
    let is_retained = |key: &str| retained.iter().any(|name| name == key);
    let set = patch
        .iter()
        .filter(|(key, value)| !key.starts_with('$') && !value.is_null());
    if let Some((key, _)) = set.into_iter().find(|(key, _)| !is_retained(key)) {
        return Err(malformed(&format!(
            "{RETAIN_KEYS} directive doesn't contain {key}, which the patch sets"
        )));
    }
    target.retain(|key, _| is_retained(key));
    Ok(())
}

fn delete_scalars(
    target: &mut Map<String, Value>,
    field: &str,
    gone: &Value,
) -> Result<(), PatchError> {
    let gone = list(gone, DELETE_FROM)?;
    if let Some(Value::Array(current)) = target.get_mut(field) {
        current.retain(|item| !gone.contains(item));
    }
    Ok(())
}

fn set_order(
    target: &mut Map<String, Value>,
    field: &str,
    order: &Value,
    strategy: PatchStrategy,
) -> Result<(), PatchError> {
    let order = list(order, SET_ORDER)?;
    if let Some(Value::Array(current)) = target.get_mut(field) {
        let before = current.clone();
        order::arrange(current, &before, order, strategy.merge_key.as_deref());
    }
    Ok(())
}

fn strategy(schema: Option<&Schema>, key: &str) -> PatchStrategy {
    let field = schema.and_then(|schema| schema.field(key));
    field.map(|field| field.patch.clone()).unwrap_or_default()
}

/// A value that enters the object as it is: without directives, and without the nulls that would
/// have deleted something.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_directives(map)),
        Value::Array(items) => {
            let is_deleted = |item: &&Value| item.get(PATCH).is_some_and(|word| word == "delete");
            let is_directive = |item: &&Value| {
                item.as_object()
                    .is_some_and(|map| map.len() == 1 && map.contains_key(PATCH))
            };
            let kept = items
                .iter()
                .filter(|item| !is_deleted(item) && !is_directive(item));
            Value::Array(kept.map(plain).collect())
        }
        scalar => scalar.clone(),
    }
}

fn without_directives(map: &Map<String, Value>) -> Map<String, Value> {
    let is_directive = |key: &str| {
        key == PATCH
            || key == RETAIN_KEYS
            || key.starts_with(DELETE_FROM)
            || key.starts_with(SET_ORDER)
    };
    let kept = map
        .iter()
        .filter(|(key, value)| !is_directive(key) && !value.is_null());
    kept.map(|(key, value)| (key.clone(), plain(value)))
        .collect()
}

fn list<'a>(value: &'a Value, directive: &str) -> Result<&'a [Value], PatchError> {
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| {
        malformed(&format!(
            "{} has to be a list",
            directive.trim_end_matches('/')
        ))
    })
}

fn malformed(message: &str) -> PatchError {
    PatchError::Malformed(message.to_owned())
}
