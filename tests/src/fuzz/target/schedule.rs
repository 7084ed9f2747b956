//! Schedules of cron jobs: white space around fields makes no difference.

use anyhow::{Result, ensure};
use k8s_apimachinery::api::batch::schedule;
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const WORDS: [&str; 26] = [
    "*",
    "/",
    "-",
    ",",
    " ",
    "0",
    "5",
    "59",
    "60",
    "7",
    "31",
    "jan",
    "MON",
    "sun",
    "@daily",
    "@every ",
    "1h",
    "?",
    "TZ=UTC ",
    "CRON_TZ=",
    "* * * * *",
    "L",
    "99999999999999999999",
    "\u{e9}",
    "-1",
    "*/",
];

pub(super) struct Schedules;

impl Target for Schedules {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let fields: Vec<_> = (0..5)
            .map(|_| mutate::sentence(dice, &WORDS[..14], 3))
            .collect();
        let mut text = match dice.one_in(3) {
            true => mutate::sentence(dice, &WORDS, 8),
            false => fields.join(&b' '),
        };
        if dice.one_in(4) {
            mutate::mutate(dice, &mut text, &WORDS);
        }
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(text) = text(input) else {
            return Ok(());
        };
        if schedule::check(text).is_ok() && !text.starts_with(['@', 'T', 'C']) {
            let wide = text.split_whitespace().collect::<Vec<_>>().join("  \t");
            let checked = schedule::check(&wide);
            ensure!(
                checked.is_ok(),
                "{text:?} is fine, but {wide:?} is not: {checked:?}"
            );
        }
        Ok(())
    }
}
