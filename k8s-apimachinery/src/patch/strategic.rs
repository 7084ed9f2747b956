//! Strategic merge patch: `application/strategic-merge-patch+json`.
//!
//! Like a merge patch, except that the schema says which lists merge and by which key, and that the patch may carry
//! directives: `$patch: replace | delete | merge`, `$retainKeys`, `$setElementOrder/<list>`,
//! `$deleteFromPrimitiveList/<list>`. Kinds without a schema take merge patches only, which is for the caller to say.
//! See "Strategic Merge Patch" among the Kubernetes community's documents on the API machinery.

mod list;

use serde_json::{Map, Value};

use super::PatchError;
use crate::scheme::schema::{PatchStrategy, Schema};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_ITEMS: &str = "$deleteFromPrimitiveList/";

/// Merges the patch into the object.
///
/// ```
/// use k8s_apimachinery::{patch, scheme::{Gvk, Schema}};
/// use serde_json::json;
/// let schema = Schema::builtin(&Gvk::new("", "v1", "Pod")).unwrap();
/// let mut pod = json!({"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}});
/// let patch = json!({"spec": {"containers": [{"name": "b", "image": "z"}]}});
/// patch::strategic::apply(&mut pod, &patch, &schema)?;
/// assert_eq!(pod["spec"]["containers"].as_array().unwrap().len(), 2);
/// # Ok::<(), patch::PatchError>(())
/// ```
pub fn apply(object: &mut Value, patch: &Value, schema: &Schema) -> Result<(), PatchError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Err(PatchError::Malformed("invalid JSON document".into()));
    };
    merge_map(object, patch, Some(schema))
}

/// What is known of the place where a patch is merged. Without a schema, maps merge and lists replace.
type Known<'a> = Option<&'a Schema>;

fn merge_map(
    map: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    schema: Known<'_>,
) -> Result<(), PatchError> {
    match directive(patch)? {
        Some(Directive::Replace) => {
            *map = without_nulls(patch);
            return Ok(());
        }
        Some(Directive::Delete) => {
            map.clear();
            return Ok(());
        }
        Some(Directive::Merge) | None => {}
    }
    retain_keys(map, patch)?;
    let orders = element_orders(map, patch, schema)?;
    for (name, value) in patch.iter().filter(|(name, _)| !is_directive(name)) {
        merge_field(map, name, value, schema)?;
    }
    for (name, value) in patch {
        if let Some(field) = name.strip_prefix(DELETE_ITEMS) {
            let unwanted = list_of(name, value)?;
            if let Some(Value::Array(list)) = map.get_mut(field) {
                list.retain(|item| !unwanted.contains(item));
            }
        }
    }
    for order in orders {
        if let Some(Value::Array(list)) = map.get_mut(order.field) {
            list::order(list, &order.wanted, &order.before, order.key);
        }
    }
    Ok(())
}

/// What `$setElementOrder/<field>` asks for, and the order before the merge, for the items that it doesn't name.
struct ElementOrder<'a> {
    field: &'a str,
    key: Option<&'a str>,
    wanted: Vec<Value>,
    before: Vec<Value>,
}

fn element_orders<'a>(
    map: &Map<String, Value>,
    patch: &'a Map<String, Value>,
    schema: Known<'a>,
) -> Result<Vec<ElementOrder<'a>>, PatchError> {
    let mut orders = Vec::new();
    for (name, order) in patch {
        let Some(field) = name.strip_prefix(SET_ORDER) else {
            continue;
        };
        let key = field_of(schema, field).and_then(|(_, strategy)| strategy.merge_key.as_deref());
        let wanted = list::identities(list_of(name, order)?, key);
        if let Some(Value::Array(list)) = patch.get(field) {
            list::check_order(field, list, &wanted, key)?;
        }
        let before = map
            .get(field)
            .and_then(Value::as_array)
            .map(|list| list::identities(list, key));
        orders.push(ElementOrder {
            field,
            key,
            wanted,
            before: before.unwrap_or_default(),
        });
    }
    Ok(orders)
}

fn merge_field(
    map: &mut Map<String, Value>,
    name: &str,
    patch: &Value,
    schema: Known<'_>,
) -> Result<(), PatchError> {
    if patch.is_null() {
        map.remove(name);
        return Ok(());
    }
    let field = field_of(schema, name);
    let strategy = field.map(|(_, strategy)| strategy);
    let inner = match (field, schema) {
        (Some((schema, _)), _) => Some(schema),
        (None, Some(schema)) => schema.child(name).map(|child| &**child),
        (None, None) => None,
    };
    match (map.get_mut(name), patch) {
        (Some(Value::Object(current)), Value::Object(patch))
            if !strategy.is_some_and(|it| it.replaces) =>
        {
            merge_map(current, patch, inner)
        }
        (Some(Value::Array(current)), Value::Array(patch))
            if strategy.is_some_and(|it| it.merges) =>
        {
            let key = strategy.and_then(|it| it.merge_key.as_deref());
            let items = inner.and_then(|list| list.items()).map(|items| &**items);
            list::merge(current, patch, key, items)
        }
        (_, patch) => {
            if let Some(value) = fresh(patch) {
                map.insert(name.to_owned(), value);
            }
            Ok(())
        }
    }
}

fn field_of<'a>(schema: Known<'a>, name: &str) -> Option<(&'a Schema, &'a PatchStrategy)> {
    let field = schema?.field(name)?;
    Some((&**field.schema(), &field.patch))
}

#[derive(Clone, Copy, PartialEq)]
enum Directive {
    Replace,
    Delete,
    Merge,
}

fn directive(patch: &Map<String, Value>) -> Result<Option<Directive>, PatchError> {
    match patch.get(PATCH) {
        None => Ok(None),
        Some(Value::String(text)) => match text.as_str() {
            "replace" => Ok(Some(Directive::Replace)),
            "delete" => Ok(Some(Directive::Delete)),
            "merge" => Ok(Some(Directive::Merge)),
            other => Err(PatchError::Malformed(format!(
                "unknown patch type found: {other}"
            ))),
        },
        Some(other) => Err(PatchError::Malformed(format!(
            "unknown patch type found: {other}"
        ))),
    }
}

fn is_directive(name: &str) -> bool {
    name == PATCH
        || name == RETAIN_KEYS
        || name.starts_with(SET_ORDER)
        || name.starts_with(DELETE_ITEMS)
}

/// Removes what `$retainKeys` doesn't name. It has to name all that the patch sets.
fn retain_keys(map: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), PatchError> {
    let Some(keys) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let keys = list_of(RETAIN_KEYS, keys)?;
    let is_named = |name: &str| keys.iter().any(|key| key == name);
    let set = patch
        .iter()
        .filter(|(name, value)| !is_directive(name) && !value.is_null());
    if !set.map(|(name, _)| name.as_str()).all(is_named) {
        let message =
            "The number of present and absent keys do not match the retainKeys list".to_owned();
        return Err(PatchError::Malformed(format!(
            "invalid patch format of retainKeys: {message}"
        )));
    }
    map.retain(|name, _| is_named(name));
    Ok(())
}

fn list_of<'a>(name: &str, value: &'a Value) -> Result<&'a Vec<Value>, PatchError> {
    value
        .as_array()
        .ok_or_else(|| PatchError::Malformed(format!("invalid patch format of {name}: not a list")))
}

/// A patch's value where there was nothing: without its nulls and directives. Nothing for what was to be deleted.
fn fresh(patch: &Value) -> Option<Value> {
    match patch {
        Value::Object(map) => match map.get(PATCH).and_then(Value::as_str) {
            Some("delete") => None,
            _ => Some(Value::Object(without_nulls(map))),
        },
        Value::Array(list) => {
            // A bare `$patch: replace` among the items is about the list, not an item.
            let items = list.iter().filter(|item| !list::is_bare_replace(item));
            Some(Value::Array(items.filter_map(fresh).collect()))
        }
        scalar => Some(scalar.clone()),
    }
}

fn without_nulls(patch: &Map<String, Value>) -> Map<String, Value> {
    let fields = patch
        .iter()
        .filter(|(name, value)| !value.is_null() && !is_directive(name));
    fields
        .filter_map(|(name, value)| Some((name.clone(), fresh(value)?)))
        .collect()
}

#[cfg(test)]
mod tests;
