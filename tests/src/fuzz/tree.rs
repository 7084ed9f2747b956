//! Valid objects, slightly wrong: edits that keep a tree a tree.

use k8s_store::testing::Dice;
use serde_json::{Map, Value, json};

/// Texts that some field or other takes for special.
const TEXTS: [&str; 28] = [
    "",
    " ",
    "0",
    "-1",
    "80",
    "1.5Gi",
    "-9223372036854775808m",
    "1e999999999",
    "25%",
    "-101%",
    "http",
    "a.b/c",
    "/",
    "..",
    "../a",
    "*",
    "$(A)",
    "$(",
    "10.0.0.1",
    "10.0.0.0/8",
    "::1",
    "2026-01-02T03:04:05Z",
    "-262144-01-01T00:00:00Z",
    "UTC",
    "* * * * *",
    "\u{e9}\u{10ffff}",
    "\u{0}\n",
    "a-b_c.d/e:f@sha256:00",
];

/// Up to four edits.
pub(crate) fn mutate(dice: &mut Dice, tree: &mut Value) {
    for _ in 0..=dice.below(4) {
        let nodes = count(tree);
        let mut at = dice.below(nodes);
        if let Some(node) = find(tree, &mut at) {
            edit(dice, node);
        }
    }
}

/// A small tree of anything.
pub(crate) fn any(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => dice.one_in(2).into(),
        2 => number(dice),
        3 | 4 => text(dice).into(),
        5 => (0..dice.below(4)).map(|_| any(dice, depth - 1)).collect(),
        _ => {
            let fields = (0..dice.below(4)).map(|_| (name(dice), any(dice, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

/// A name of few, so that names meet.
pub(crate) fn name(dice: &mut Dice) -> String {
    ["a", "b", "name", "", "a/b", "~1"][dice.below(6)].to_owned()
}

fn text(dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => "x".repeat(254),
        _ => TEXTS[dice.below(TEXTS.len())].to_owned(),
    }
}

fn number(dice: &mut Dice) -> Value {
    match dice.below(10) {
        0 => i64::MIN.into(),
        1 => i64::MAX.into(),
        2 => u64::MAX.into(),
        3 => i32::MAX.into(),
        4 => i32::MIN.into(),
        5 => json!(-1),
        6 => json!(0.5),
        7 => json!(1e300),
        _ => json!(dice.below(100)),
    }
}

fn count(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// The node that comes after so many others.
fn find<'a>(tree: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(tree);
    }
    *at -= 1;
    match tree {
        Value::Array(list) => list.iter_mut().find_map(|item| find(item, at)),
        Value::Object(map) => map.values_mut().find_map(|value| find(value, at)),
        _ => None,
    }
}

fn edit(dice: &mut Dice, node: &mut Value) {
    match (node, dice.below(4)) {
        (Value::Object(map), 0..3) => edit_map(dice, map),
        (Value::Array(list), 0..3) => edit_list(dice, list),
        (Value::String(kept), 0) => {
            let at = dice.below(kept.chars().count() + 1);
            *kept = kept.chars().take(at).chain(text(dice).chars()).collect();
        }
        (node, 1) => *node = text(dice).into(),
        (node, 2) => *node = number(dice),
        (node, _) => *node = any(dice, 2),
    }
}

fn edit_map(dice: &mut Dice, map: &mut Map<String, Value>) {
    let key = map.keys().nth(dice.below(map.len().max(1))).cloned();
    match (key, dice.below(4)) {
        (Some(key), 0) => drop(map.remove(&key)),
        (Some(key), 1) => drop(map.insert(key, Value::Null)),
        (Some(key), 2) => {
            let value = map.remove(&key).unwrap_or_default();
            map.insert(text(dice), value);
        }
        _ => drop(map.insert(text(dice), any(dice, 1))),
    }
}

fn edit_list(dice: &mut Dice, list: &mut Vec<Value>) {
    let at = dice.below(list.len().max(1));
    let to = dice.below(list.len().max(1));
    match dice.below(4) {
        0 if !list.is_empty() => drop(list.remove(at)),
        1 if !list.is_empty() => list.swap(at, to),
        2 if !list.is_empty() => list.insert(to, list[at].clone()),
        _ => list.push(any(dice, 1)),
    }
}
