//! JSON patches: all or nothing, and the difference of two documents makes one of the other.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::{Value, patch::json, scheme::codec};
use k8s_store::testing::Dice;
use serde_json::json;

use super::Target;
use crate::{mutate, tree};

const PATHS: [&str; 14] = [
    "", "/", "/a", "/b", "/a/b", "/a/0", "/a/-", "/a/00", "/a/1", "/a~1b", "/~01", "/name/", "a",
    "/a/-1",
];

pub(super) struct JsonPatch;

impl Target for JsonPatch {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let document = tree::any(dice, 3);
        let patch = match dice.one_in(4) {
            true => tree::any(dice, 3),
            false => (0..dice.below(5)).map(|_| operation(dice)).collect(),
        };
        codec::encode_json(&json!([document, patch]))
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((Value::Array(parts), _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let [document, patch] = parts.as_slice() else {
            return Ok(());
        };
        let mut patched = document.clone();
        if json::apply(&mut patched, patch).is_err() {
            ensure!(patched == *document, "a patch that fails leaves {patched}");
        }
        let difference = difference(document, patch, "");
        let mut changed = document.clone();
        json::apply(&mut changed, &Value::Array(difference.clone()))
            .with_context(|| format!("{difference:?} is said not to apply"))?;
        ensure!(changed == *patch, "{difference:?} makes {changed}");
        Ok(())
    }
}

fn operation(dice: &mut Dice) -> Value {
    let op = mutate::pick(
        dice,
        &["add", "remove", "replace", "move", "copy", "test", "spam"],
    );
    let path = mutate::pick(dice, &PATHS);
    let mut operation = json!({"op": op, "path": path});
    if !dice.one_in(8) {
        operation["value"] = tree::any(dice, 2);
    }
    if !dice.one_in(8) {
        operation["from"] = mutate::pick(dice, &PATHS).into();
    }
    operation
}

/// Operations that make one document of another.
fn difference(from: &Value, to: &Value, at: &str) -> Vec<Value> {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return match from == to {
            true => Vec::new(),
            false => vec![json!({"op": "replace", "path": at, "value": to})],
        };
    };
    let path = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut operations: Vec<Value> = gone
        .map(|name| json!({"op": "remove", "path": path(name)}))
        .collect();
    for (name, value) in new {
        match old.get(name) {
            Some(former) => operations.extend(difference(former, value, &path(name))),
            None => operations.push(json!({"op": "add", "path": path(name), "value": value})),
        }
    }
    operations
}
