//! Merge patches: twice is once, and the difference of two documents makes one of the other.

use anyhow::{Result, ensure};
use k8s_apimachinery::{Value, patch::merge, scheme::codec};
use k8s_store::testing::Dice;
use serde_json::{Map, json};

use super::Target;
use crate::tree;

pub(super) struct MergePatch;

impl Target for MergePatch {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let document = tree::any(dice, 4);
        let mut patch = match dice.one_in(2) {
            true => document.clone(),
            false => tree::any(dice, 4),
        };
        tree::mutate(dice, &mut patch);
        codec::encode_json(&json!([document, patch]))
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((Value::Array(parts), _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let [document, patch] = parts.as_slice() else {
            return Ok(());
        };
        let mut once = document.clone();
        merge::apply(&mut once, patch);
        let mut twice = once.clone();
        merge::apply(&mut twice, patch);
        ensure!(once == twice, "once makes {once}, twice {twice}");
        // Only what has no nulls can be told in full.
        let target = without_nulls(patch);
        let difference = difference(document, &target);
        let mut changed = document.clone();
        merge::apply(&mut changed, &difference);
        ensure!(changed == target, "{difference} makes {changed}");
        Ok(())
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        other => other.clone(),
    }
}

/// What has to be merged into a document to make another of it.
fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (from, to) else {
        return to.clone();
    };
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut patch: Map<String, Value> = gone.map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in new {
        let value = old
            .get(name)
            .map_or(value.clone(), |former| difference(former, value));
        patch.insert(name.clone(), value);
    }
    Value::Object(patch)
}
