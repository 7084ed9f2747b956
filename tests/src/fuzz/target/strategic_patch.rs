//! Strategic merge patches of every kind: an object merged into itself stays, and without directives
//! and nulls twice is once.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::{Object, Value, patch::strategic, scheme::codec};
use k8s_store::testing::Dice;
use serde_json::json;

use super::Target;
use crate::{corpus::Corpus, mutate, tree};

pub(super) struct StrategicPatch(Corpus);

impl StrategicPatch {
    pub(super) fn new() -> Self {
        StrategicPatch(Corpus::read())
    }
}

impl Target for StrategicPatch {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let sample = self.0.pick(dice);
        let mut patch = sample.mutated(dice);
        for _ in 0..dice.below(3) {
            direct(dice, &mut patch);
        }
        codec::encode_json(&json!([sample.mutated(dice), patch]))
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((Value::Array(parts), _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let [object, patch] = parts.as_slice() else {
            return Ok(());
        };
        let gvk = Object::from_value(patch.clone()).unwrap_or_default().gvk();
        let Some(sample) = self.0.of(&gvk) else {
            return Ok(());
        };
        let mut once = object.clone();
        if strategic::apply(&mut once, patch, &sample.schema).is_err() || !is_plain(patch) {
            return Ok(());
        }
        let mut twice = once.clone();
        strategic::apply(&mut twice, patch, &sample.schema)
            .with_context(|| format!("the second time, to {once}"))?;
        ensure!(once == twice, "once makes {once}, twice {twice}");
        let mut same = sample.object.clone();
        strategic::apply(&mut same, &sample.object, &sample.schema)?;
        ensure!(same == sample.object, "{gvk} merged into itself is {same}");
        Ok(())
    }
}

/// Puts a directive somewhere.
fn direct(dice: &mut Dice, patch: &mut Value) {
    match patch {
        Value::Array(list) if !list.is_empty() => {
            let at = dice.below(list.len());
            direct(dice, &mut list[at])
        }
        Value::Object(map) => {
            let key = map
                .keys()
                .nth(dice.below(map.len().max(1)))
                .cloned()
                .unwrap_or_default();
            if !dice.one_in(4)
                && let Some(below @ (Value::Object(_) | Value::Array(_))) = map.get_mut(&key)
            {
                return direct(dice, below);
            }
            let (name, value) = match dice.below(4) {
                0 => (
                    "$patch".to_owned(),
                    mutate::pick(dice, &["replace", "delete", "merge", "x"]).into(),
                ),
                1 => ("$retainKeys".to_owned(), json!([key])),
                2 => (
                    format!("$setElementOrder/{key}"),
                    map.get(&key).cloned().unwrap_or_default(),
                ),
                _ => (
                    format!("$deleteFromPrimitiveList/{key}"),
                    tree::any(dice, 1),
                ),
            };
            map.insert(name, value);
        }
        _ => {}
    }
}

/// Whether a patch only sets fields.
fn is_plain(patch: &Value) -> bool {
    match patch {
        Value::Array(list) => list.iter().all(is_plain),
        Value::Object(map) => map
            .iter()
            .all(|(name, value)| !name.starts_with('$') && is_plain(value)),
        Value::Null => false,
        _ => true,
    }
}
