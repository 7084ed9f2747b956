//! Times: printed to the microsecond, they read the same again.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::time;
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const SEEDS: [&str; 8] = [
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.123456789Z",
    "2024-02-29T23:59:60+14:00",
    "0000-01-01T00:00:00-23:59",
    "9999-12-31T23:59:59.999999999Z",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2026-01-02T03:04:05,5+00:00",
];
const WORDS: [&str; 14] = [
    "T", "Z", "-", ":", ".", "+", "00", "59", "60", "99", "0", "+24:00", "t", "\u{e9}",
];

pub(super) struct Times;

impl Target for Times {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut text = mutate::pick(dice, &SEEDS).as_bytes().to_vec();
        if dice.one_in(2) {
            // Another digit leaves it a time more often than not.
            let at = dice.below(text.len());
            if text[at].is_ascii_digit() {
                text[at] = b'0' + dice.below(10) as u8;
            }
        } else {
            mutate::mutate(dice, &mut text, &WORDS);
        }
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(Ok(time)) = text(input).map(time::parse) else {
            return Ok(());
        };
        for print in [time::seconds, time::micros] {
            let printed = print(time);
            let again =
                time::parse(&printed).with_context(|| format!("it is printed as {printed:?}"))?;
            ensure!(
                print(again) == printed,
                "{printed} becomes {}",
                print(again)
            );
            ensure!(again <= time, "{printed} is later than {time}");
        }
        Ok(())
    }
}
