//! Field selectors: printed, they read the same again.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::selector::FieldSelector;
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const WORDS: [&str; 15] = [
    "a",
    "metadata.name",
    "status.phase",
    "=",
    "==",
    "!=",
    ",",
    "\\",
    "\\,",
    "\\=",
    "\\\\",
    "!",
    " ",
    "\u{e9}",
    "b",
];

pub(super) struct FieldSelectors;

impl Target for FieldSelectors {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        mutate::sentence(dice, &WORDS, 10)
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(Ok(selector)) = text(input).map(str::parse::<FieldSelector>) else {
            return Ok(());
        };
        let printed = selector.to_string();
        let again: FieldSelector = printed
            .parse()
            .with_context(|| format!("it is printed as {printed:?}"))?;
        ensure!(
            again == selector,
            "{selector:?} is printed as {printed:?}, which is {again:?}"
        );
        Ok(())
    }
}
