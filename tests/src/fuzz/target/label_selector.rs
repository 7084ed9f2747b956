//! Label selectors: printed, they read the same again and select the same.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::selector::LabelSelector;
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const WORDS: [&str; 26] = [
    "a", "b", "in", "notin", "x.io/a", "=", "==", "!=", "!", ">", "<", "(", ")", ",", " ", " in (",
    " notin (", "a=b,", "1", "-1", "\u{e9}", "\u{a0}", "_", "-", "a,b", ",!a",
];

pub(super) struct LabelSelectors;

impl Target for LabelSelectors {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        mutate::sentence(dice, &WORDS, 10)
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some(Ok(selector)) = text(input).map(str::parse::<LabelSelector>) else {
            return Ok(());
        };
        let printed = selector.to_string();
        let again: LabelSelector = printed
            .parse()
            .with_context(|| format!("it is printed as {printed:?}"))?;
        ensure!(again.to_string() == printed, "{printed:?} becomes {again}");
        for value in [None, Some(""), Some("a"), Some("b"), Some("0"), Some("2")] {
            let is_selected = |selector: &LabelSelector| selector.matches(|_| value);
            ensure!(
                is_selected(&selector) == is_selected(&again),
                "{printed:?} selects other labels than what it stands for: {value:?}"
            );
        }
        for requirement in selector.requirements() {
            let exact = selector.exact(&requirement.key);
            ensure!(
                exact == again.exact(&requirement.key),
                "{printed:?} fixes another value"
            );
        }
        Ok(())
    }
}
