//! Objects of every kind: brought into the stored form, defaulted, validated and converted; each of
//! these the second time changes nothing.

use anyhow::{Result, ensure};
use k8s_apimachinery::{
    Object, api,
    scheme::{Gvk, Schema, codec, normalise, prune},
};
use k8s_store::testing::Dice;

use super::Target;
use crate::corpus::Corpus;

pub(super) struct Kinds(Corpus);

impl Kinds {
    pub(super) fn new() -> Self {
        Kinds(Corpus::read())
    }
}

impl Target for Kinds {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let object = self.0.pick(dice).mutated(dice);
        codec::encode_json(&object)
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((mut value, _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let gvk = Object::from_value(value.clone()).unwrap_or_default().gvk();
        let Some(sample) = self.0.of(&gvk) else {
            return Ok(());
        };
        if normalise(&sample.schema, &mut value).is_err() {
            return Ok(());
        }
        prune(&sample.schema, &mut value);
        let mut again = value.clone();
        normalise(&sample.schema, &mut again)?;
        ensure!(
            again == value,
            "{value} is normalised to {again} the second time"
        );
        ensure!(
            prune(&sample.schema, &mut again).is_empty(),
            "more is pruned from {again}"
        );
        let mut object = Object::from_value(value)?;
        if let Some(rules) = api::rules(&gvk) {
            let old = Object::from_value(sample.object.clone())?;
            rules.default(&mut object);
            let mut again = object.clone();
            rules.default(&mut again);
            ensure!(
                again == object,
                "{object:?} is defaulted to {again:?} the second time"
            );
            let faults = rules.validate(&object);
            ensure!(
                rules.validate(&object) == faults,
                "other faults the second time"
            );
            rules.validate_update(&object, &old);
            rules.validate_update(&old, &object);
            rules.validate_status_update(&object, &old);
            rules.validate_status_update(&old, &object);
        }
        for other in others(&gvk) {
            let there = api::convert(object.clone(), &other);
            ensure!(there.gvk() == other, "{gvk} becomes {}", there.gvk());
            let back = api::convert(there.clone(), &gvk);
            let again = api::convert(back.clone(), &other);
            ensure!(
                again == there,
                "{back:?} becomes {again:?} instead of {there:?}"
            );
        }
        Ok(())
    }
}

/// Other versions of a kind.
fn others(gvk: &Gvk) -> Vec<Gvk> {
    let is_same = |other: &Gvk| match gvk.kind.as_str() {
        "Event" => other.kind == "Event" && other.group != gvk.group,
        kind => other.kind == kind && other.group == gvk.group && other.version != gvk.version,
    };
    Schema::builtin_kinds().filter(is_same).collect()
}
