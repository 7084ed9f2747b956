//! `intstr.IntOrString`: a port by number or name, a count or a percentage.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A number or a text: `80` or `"http"`, `3` or `"25%"`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A text: a port's name or a percentage.
    String(String),
}

/// The text is no percentage such as `25%`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for IntOrString: invalid type: string is not a percentage")]
pub struct NotAPercentage;

/// Which way a share of a whole is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// As `maxSurge` is.
    Up,
    /// As `maxUnavailable` is.
    Down,
}

impl IntOrString {
    /// Reads a JSON number that fits 32 bits, or a string.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(Self::Int(number.as_i64()?.try_into().ok()?)),
            Value::String(text) => Some(Self::String(text.clone())),
            _ => None,
        }
    }

    /// The number itself, or the percentage of `total`.
    ///
    /// ```
    /// use k8s_apimachinery::int_or_string::{IntOrString, Round};
    /// let quarter = IntOrString::String("25%".into());
    /// assert_eq!(quarter.scaled(10, Round::Up), Ok(3));
    /// assert_eq!(quarter.scaled(10, Round::Down), Ok(2));
    /// ```
    pub fn scaled(&self, total: i32, round: Round) -> Result<i32, NotAPercentage> {
        let percent = match self {
            Self::Int(number) => return Ok(*number),
            Self::String(text) => text.strip_suffix('%').ok_or(NotAPercentage)?,
        };
        let percent: i32 = percent.parse().map_err(|_| NotAPercentage)?;
        let hundredths = i64::from(percent) * i64::from(total);
        let share = match round {
            Round::Up => hundredths.div_euclid(100) + i64::from(hundredths.rem_euclid(100) != 0),
            Round::Down => hundredths.div_euclid(100),
        };
        i32::try_from(share).map_err(|_| NotAPercentage)
    }
}

impl From<i32> for IntOrString {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for IntOrString {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn percentages_scale_and_numbers_stay() {
        let scaled = |it: IntOrString, total, round| it.scaled(total, round).ok();
        assert_eq!(scaled(7.into(), 3, Round::Up), Some(7));
        assert_eq!(scaled("0%".into(), 3, Round::Up), Some(0));
        assert_eq!(scaled("100%".into(), 3, Round::Down), Some(3));
        assert_eq!(scaled("1%".into(), 3, Round::Up), Some(1));
        assert_eq!(scaled("1%".into(), 3, Round::Down), Some(0));
        assert_eq!(scaled("http".into(), 3, Round::Down), None);
        assert_eq!(scaled("x%".into(), 3, Round::Down), None);
    }

    #[test]
    fn reads_numbers_and_strings_only() {
        assert_eq!(IntOrString::from_value(&json!(80)), Some(80.into()));
        assert_eq!(IntOrString::from_value(&json!("http")), Some("http".into()));
        for value in [
            json!(1.5),
            json!(3_000_000_000_u64),
            json!(true),
            json!(null),
            json!([]),
        ] {
            assert_eq!(IntOrString::from_value(&value), None);
        }
    }
}
