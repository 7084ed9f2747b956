//! The order of a merged list: as the patch says for what it names, as it was for the rest.

use serde_json::Value;

/// Arranges a merged list by `$setElementOrder`.
///
/// Items that `order` names follow it; the others, which only the server knew, keep their order
/// among themselves, and each stays in front of those named items that it preceded in `before`.
pub(super) fn arrange(
    merged: &mut Vec<Value>,
    before: &[Value],
    order: &[Value],
    merge_key: Option<&str>,
) {
    let place_in = |list: &[Value], item: &Value| {
        list.iter()
            .position(|other| identity(other, merge_key) == identity(item, merge_key))
    };
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = std::mem::take(merged)
        .into_iter()
        .partition(|item| place_in(order, item).is_some());
    named.sort_by_key(|item| place_in(order, item));
    others.sort_by_key(|item| place_in(before, item));

    let mut others = others.into_iter().peekable();
    for item in named {
        let place = place_in(before, &item);
        while let Some(other) = others.next_if(|other| {
            // A new item has no place among the old ones, so it does not wait for any.
            place.is_some_and(|place| place_in(before, other).is_some_and(|other| other < place))
        }) {
            merged.push(other);
        }
        merged.push(item);
    }
    merged.extend(others);
}

/// What tells an item apart: its key, or itself.
fn identity<'a>(item: &'a Value, merge_key: Option<&str>) -> Option<&'a Value> {
    match merge_key {
        Some(key) => item.get(key),
        None => Some(item),
    }
}
