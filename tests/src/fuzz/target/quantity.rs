//! Quantities: one canonical form, near what floating point says, and arithmetic that undoes itself.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::quantity::{Format, Quantity};
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const SUFFIXES: [(&str, f64); 17] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("e3", 1e3),
    ("E-2", 1e-2),
    ("e+18", 1e18),
];
const WORDS: [&str; 18] = [
    "0",
    "1",
    "9",
    "00",
    "999",
    "123456789",
    ".",
    "-",
    "+",
    "e",
    "E",
    "Ki",
    "Ei",
    "n",
    "m",
    "i",
    "e-2147483648",
    "e2147483647",
];
/// Beyond this amounts are cut down.
const LARGE: f64 = 1e18;

pub(super) struct Quantities;

impl Target for Quantities {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut texts = [one(dice), one(dice)];
        if dice.one_in(3) {
            mutate::mutate(dice, &mut texts[0], &WORDS);
        }
        texts.join(&b' ')
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let mut amounts = Vec::new();
        for text in text(input).unwrap_or_default().split(' ') {
            if let Ok(amount) = text.parse::<Quantity>() {
                canonical(text, amount)?;
                amounts.push(amount);
            }
        }
        let is_moderate = |amount: &Quantity| amount.as_f64().abs() < LARGE;
        if let [a, b, ..] = amounts[..]
            && amounts.iter().all(is_moderate)
        {
            let mut sum = a;
            sum.add(b);
            sum.sub(b);
            ensure!(sum == a, "{a} + {b} - {b} is {sum}");
            let (near, far) = (a.as_f64(), b.as_f64());
            ensure!(near >= far || a < b, "{a} is not less than {b}");
        }
        Ok(())
    }
}

/// A well-formed amount, long fractions included.
fn one(dice: &mut Dice) -> Vec<u8> {
    let sign = mutate::pick(dice, &["", "", "-", "+"]);
    let digits = |dice: &mut Dice, longest| {
        let count = dice.below(longest);
        (0..count)
            .map(|_| char::from(b'0' + dice.below(10) as u8))
            .collect::<String>()
    };
    let whole = digits(dice, 22);
    let fraction = match dice.below(4) {
        0 => ".".to_owned() + &digits(dice, 50),
        1 => ".".to_owned() + &digits(dice, 4),
        _ => String::new(),
    };
    let (suffix, _) = SUFFIXES[dice.below(SUFFIXES.len())];
    format!("{sign}{whole}{fraction}{suffix}").into_bytes()
}

fn canonical(text: &str, amount: Quantity) -> Result<()> {
    let printed = amount.to_string();
    let again: Quantity = printed
        .parse()
        .with_context(|| format!("it is printed as {printed:?}"))?;
    ensure!(
        again == amount,
        "{text} is printed as {printed}, which is {again}"
    );
    // Without a binary suffix, a binary amount reads as a decimal one: then the form is final.
    let settled = again.to_string();
    let last: Quantity = settled.parse()?;
    ensure!(last.to_string() == settled, "{settled} becomes {last}");
    ensure!(
        settled == printed || amount.format() == Format::Binary,
        "{printed} becomes {settled}"
    );
    let (suffix, number) = SUFFIXES
        .iter()
        .filter_map(|(suffix, scale)| Some((scale, text.strip_suffix(suffix)?)))
        .filter_map(|(scale, number)| Some((scale, number.parse::<f64>().ok()?)))
        .next_back()
        .unwrap_or((&1.0, f64::NAN));
    let expected = suffix * number;
    if expected.is_finite() && expected.abs() < LARGE && !text.contains(['e', 'E']) {
        // What is less than a billionth counts as one.
        let error = (amount.as_f64() - expected).abs();
        ensure!(
            error <= expected.abs() * 1e-12 + 1.1e-9,
            "{text} is read as {printed}"
        );
    }
    let (value, millis) = (amount.value(), amount.milli_value());
    ensure!(
        amount.is_negative() == (value < 0) && (value == 0) == amount.is_zero(),
        "{printed} counts as {value}"
    );
    ensure!(
        millis.unsigned_abs() >= value.unsigned_abs() || millis == i64::MAX || millis == i64::MIN,
        "{printed} is {millis} thousandths and {value} wholes"
    );
    Ok(())
}
