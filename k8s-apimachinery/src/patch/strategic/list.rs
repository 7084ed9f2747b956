//! Merging and ordering of lists.
//!
//! Items that the patch names come in the patch's order. Items that only the object has keep their order, and their
//! place relative to the named ones as far as that order allows. Takes time in proportion to the lists' lengths, give or
//! take a logarithm: a body may hold a hundred thousand items.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{Directive, Known, PATCH, PatchError, directive, fresh, merge_map};

/// Merges a patch's list into an object's: objects by their key, scalars as a set.
pub(super) fn merge(
    list: &mut Vec<Value>,
    patch: &[Value],
    key: Option<&str>,
    items: Known<'_>,
) -> Result<(), PatchError> {
    let Some(key) = key else {
        let before = list.clone();
        let mut known: HashSet<&Value> = before.iter().collect();
        list.extend(patch.iter().filter(|item| known.insert(item)).cloned());
        order(list, patch, &before, None);
        return Ok(());
    };
    let before = identities(list, Some(key));
    let mut is_replaced = false;
    let mut gone = HashSet::new();
    let mut named = Vec::with_capacity(patch.len());
    for item in patch {
        let Value::Object(item) = item else {
            return Err(PatchError::NotApplicable(
                "invalid list format: expected a list of maps".into(),
            ));
        };
        match directive(item)? {
            Some(Directive::Delete) => drop(gone.insert(merge_key(item, key)?)),
            Some(Directive::Replace) => is_replaced = true,
            Some(Directive::Merge) => {
                let message = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Malformed(message.into()));
            }
            None => named.push(item),
        }
    }
    if is_replaced {
        *list = patch
            .iter()
            .filter(|item| !is_bare_replace(item))
            .filter_map(fresh)
            .collect();
        return Ok(());
    }
    list.retain(|current| current.get(key).is_none_or(|id| !gone.contains(id)));
    let mut places: HashMap<Value, usize> = HashMap::new();
    for (place, current) in list.iter().enumerate() {
        if let Some(id) = current.get(key) {
            places.entry(id.clone()).or_insert(place);
        }
    }
    for item in &named {
        let place = places.get(merge_key(item, key)?);
        if let Some(Value::Object(current)) = place.and_then(|place| list.get_mut(*place)) {
            merge_map(current, item, items)?;
        } else if let Some(new) = fresh(&Value::Object((*item).clone())) {
            if let Some(id) = new.get(key) {
                places.entry(id.clone()).or_insert(list.len());
            }
            list.push(new);
        }
    }
    let wanted: Vec<Value> = named
        .iter()
        .filter_map(|item| item.get(key).cloned())
        .collect();
    order(list, &wanted, &before, Some(key));
    Ok(())
}

/// What tells the items apart, in order.
pub(super) fn identities(list: &[Value], key: Option<&str>) -> Vec<Value> {
    list.iter()
        .map(|item| identity(item, key).clone())
        .collect()
}

/// A patch's list has to be in the order that it asks for, and to name nothing else.
pub(super) fn check_order(
    field: &str,
    patch: &[Value],
    order: &[Value],
    key: Option<&str>,
) -> Result<(), PatchError> {
    let mut rest = order.iter();
    let is_plain = |item: &&Value| item.get(PATCH).is_none();
    let fits = patch.iter().filter(is_plain).all(|item| {
        let wanted = identity(item, key);
        rest.any(|ordered| ordered == wanted)
    });
    match fits {
        true => Ok(()),
        false => {
            let items = Value::from(patch.to_vec());
            Err(PatchError::Malformed(format!(
                "The order in patch list:\n{items}\n doesn't match $setElementOrder/{field} list"
            )))
        }
    }
}

/// Whether it is the item `{"$patch": "replace"}`, which turns merging into replacing.
pub(super) fn is_bare_replace(item: &Value) -> bool {
    let only = |map: &Map<String, Value>| {
        map.len() == 1 && map.get(PATCH).is_some_and(|text| text == "replace")
    };
    item.as_object().is_some_and(only)
}

/// Puts the wanted items in their order and weaves the others in by where they stood before.
pub(super) fn order(list: &mut Vec<Value>, wanted: &[Value], before: &[Value], key: Option<&str>) {
    let (wanted, before) = (places(wanted), places(before));
    let place =
        |order: &HashMap<&Value, usize>, item: &Value| order.get(identity(item, key)).copied();
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = std::mem::take(list)
        .into_iter()
        .partition(|item| place(&wanted, item).is_some());
    named.sort_by_key(|item| place(&wanted, item));
    others.sort_by_key(|item| place(&before, item).unwrap_or(usize::MAX));
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) =
            others.next_if(
                |other| match (place(&before, other), place(&before, &item)) {
                    (Some(other), Some(item)) => other < item,
                    _ => false,
                },
            )
        {
            list.push(other);
        }
        list.push(item);
    }
    list.extend(others);
}

/// Where each identity comes first.
fn places(order: &[Value]) -> HashMap<&Value, usize> {
    // The first of several is collected last.
    order
        .iter()
        .enumerate()
        .rev()
        .map(|(i, id)| (id, i))
        .collect()
}

/// What tells the item apart: its key, or itself.
fn identity<'a>(item: &'a Value, key: Option<&str>) -> &'a Value {
    key.and_then(|key| item.get(key)).unwrap_or(item)
}

fn merge_key<'a>(item: &'a Map<String, Value>, key: &str) -> Result<&'a Value, PatchError> {
    item.get(key).ok_or_else(|| {
        let item = Value::Object(item.clone());
        PatchError::NotApplicable(format!(
            "map: {item} does not contain declared merge key: {key}"
        ))
    })
}
