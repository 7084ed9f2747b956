//! Numbers or percentages: shares of a whole that differ by one at most between the ways to round.

use anyhow::{Result, ensure};
use k8s_apimachinery::{IntOrString, int_or_string::Round, scheme::codec};
use k8s_store::testing::Dice;

use super::Target;
use crate::mutate;

const WORDS: [&str; 14] = [
    "0",
    "1",
    "7",
    "25",
    "99",
    "100",
    "%",
    "-",
    "+",
    "\"",
    "2147483647",
    "-2147483648",
    ".",
    "http",
];

pub(super) struct IntOrStrings;

impl Target for IntOrStrings {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let inner = mutate::sentence(dice, &WORDS, 4);
        match dice.one_in(4) {
            true => inner,
            false => [b"\"", &inner[..], b"\""].concat(),
        }
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((value, _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let Some(read) = IntOrString::from_value(&value) else {
            return Ok(());
        };
        let again = serde_json::to_value(&read)?;
        ensure!(again == value, "{value} comes back as {again}");
        for total in [0, 1, 3, 10, 1000, i32::MAX] {
            let [down, up] = [Round::Down, Round::Up].map(|round| read.scaled(total, round));
            let (Ok(down), Ok(up)) = (down, up) else {
                continue;
            };
            ensure!(
                (0..=1).contains(&(i64::from(up) - i64::from(down))),
                "{read} of {total} lies between {down} and {up}"
            );
        }
        Ok(())
    }
}
