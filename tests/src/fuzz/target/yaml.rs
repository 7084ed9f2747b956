//! YAML: the same again once it is written.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::scheme::codec;
use k8s_store::testing::Dice;

use super::Target;
use crate::{corpus::Corpus, mutate};

const WORDS: [&str; 36] = [
    "a: ",
    "b: ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "&a ",
    "*a",
    "*b",
    "<<: ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "? ",
    "# c\n",
    "---\n",
    "...\n",
    "!!str ",
    "!!binary ",
    "~",
    "yes",
    "0644",
    "0x1f",
    ".nan",
    "1_000",
    "12:30",
    "2026-01-02",
    "\\x41",
    "\t",
];

pub(super) struct Yaml(Vec<String>);

impl Yaml {
    pub(super) fn new() -> Self {
        let corpus = Corpus::read();
        let texts = corpus.samples().iter();
        Yaml(
            texts
                .map(|sample| codec::encode_yaml(&sample.object))
                .collect(),
        )
    }
}

impl Target for Yaml {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        if dice.one_in(2) {
            return mutate::sentence(dice, &WORDS, 24);
        }
        let mut text = self.0[dice.below(self.0.len())].clone().into_bytes();
        mutate::mutate(dice, &mut text, &WORDS);
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((value, _)) = codec::decode_yaml(input) else {
            return Ok(());
        };
        let written = codec::encode_yaml(&value);
        let again = codec::decode_yaml(written.as_bytes());
        let (again, _) = again.with_context(|| format!("{value} is written as {written:?}"))?;
        ensure!(
            again == value,
            "{value} is written as {written:?}, which is {again}"
        );
        Ok(())
    }
}
