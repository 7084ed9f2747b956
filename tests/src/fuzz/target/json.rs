//! JSON: read as `serde_json` reads it, and the same again once it is written.

use anyhow::{Result, ensure};
use k8s_apimachinery::{Value, scheme::codec};
use k8s_store::testing::Dice;

use super::Target;
use crate::{corpus::Corpus, mutate};

const WORDS: [&str; 18] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"a\":",
    "null",
    "true",
    "1e308",
    "-0",
    "0.1",
    "\\u0000",
    "\\ud800",
    "[[[[[[[[",
    "{\"a\":",
    "18446744073709551616",
];

pub(super) struct Json(Corpus);

impl Json {
    pub(super) fn new() -> Self {
        Json(Corpus::read())
    }
}

impl Target for Json {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        if dice.one_in(2) {
            return mutate::sentence(dice, &WORDS, 24);
        }
        let mut text = codec::encode_json(&self.0.pick(dice).object);
        mutate::mutate(dice, &mut text, &WORDS);
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let read = codec::decode_json(input);
        let other = serde_json::from_slice::<Value>(input);
        ensure!(
            read.is_ok() == other.is_ok(),
            "{read:?}, but serde_json says {other:?}"
        );
        let (Ok((value, _)), Ok(other)) = (read, other) else {
            return Ok(());
        };
        ensure!(value == other, "{value}, but serde_json says {other}");
        let (again, duplicates) = codec::decode_json(&codec::encode_json(&value))?;
        ensure!(again == value, "{value} comes back as {again}");
        ensure!(duplicates.is_empty(), "what is written repeats a key");
        Ok(())
    }
}
