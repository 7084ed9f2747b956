//! Sets of fields: written, they read the same again, and they obey the laws of sets.

use anyhow::{Result, ensure};
use k8s_apimachinery::{Value, apply::FieldSet, scheme::codec};
use k8s_store::testing::Dice;
use serde_json::json;

use super::Target;
use crate::{corpus::Corpus, tree};

pub(super) struct FieldSets(Vec<Value>);

impl FieldSets {
    pub(super) fn new() -> Self {
        let corpus = Corpus::read();
        let sets = corpus
            .samples()
            .iter()
            .map(|sample| FieldSet::of(&sample.object, &sample.schema));
        FieldSets(sets.map(|set| set.to_fields_v1()).collect())
    }
}

impl Target for FieldSets {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let chosen = dice.below(self.0.len());
        let [a, b] = [0, 1].map(|_| {
            let mut set = self.0[chosen].clone();
            tree::mutate(dice, &mut set);
            set
        });
        codec::encode_json(&json!([a, b]))
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((Value::Array(parts), _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let [a, b] = parts.as_slice() else {
            return Ok(());
        };
        let [a, b] = [a, b].map(FieldSet::from_fields_v1);
        for set in [&a, &b] {
            let again = FieldSet::from_fields_v1(&set.to_fields_v1());
            ensure!(
                again.to_fields_v1() == set.to_fields_v1(),
                "{} changes",
                set.to_fields_v1()
            );
            ensure!(again == *set, "{set:?} comes back as {again:?}");
        }
        let mut union = a.clone();
        union.union(&b);
        let mut difference = union.clone();
        difference.subtract(&b);
        ensure!(
            union.intersection(&a).paths() == a.paths(),
            "a union lacks a member"
        );
        ensure!(
            difference.intersection(&b).paths().is_empty(),
            "a difference keeps a member"
        );
        let mut sum = difference;
        sum.union(&b);
        ensure!(sum.paths() == union.paths(), "a difference lost a member");
        Ok(())
    }
}
