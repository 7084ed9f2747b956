//! `resource.Quantity`: amounts such as `500m`, `1.5Gi` or `12e6`, exact to the billionth.
//!
//! Written back in one canonical form: no fraction, the largest suffix that needs none, in the family of suffixes that it
//! was given in. Magnitudes beyond about 10^29 are cut down to 2^63-1, as Kubernetes does beyond its own bound.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Billionths in a whole.
const NANO: i128 = 1_000_000_000;
/// What immoderate amounts are cut down to.
const MAX: i128 = i64::MAX as i128 * NANO;
const DECIMAL_SUFFIXES: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY_SUFFIXES: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

/// The family of suffixes that an amount is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `m`, `k`, `M`, `G`: powers of 1000.
    Decimal,
    /// `Ki`, `Mi`, `Gi`: powers of 1024.
    Binary,
    /// `e3`, `e6`: powers of 1000 as exponents.
    Exponent,
}

/// An exact amount.
///
/// Compared by amount alone: `1Ki` equals `1024`.
///
/// ```
/// use k8s_apimachinery::Quantity;
/// let cpu: Quantity = "0.5".parse()?;
/// assert_eq!((cpu.to_string(), cpu.milli_value(), cpu.value()), ("500m".into(), 500, 1));
/// # Ok::<(), k8s_apimachinery::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

/// The text is no quantity; the messages are Kubernetes' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Empty, without digits, or with characters that no quantity has.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// More than one decimal point.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// A suffix such as `mi`.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Nothing at all.
    pub const ZERO: Quantity = Quantity {
        nanos: 0,
        format: Format::Decimal,
    };

    /// A whole amount.
    pub const fn new(amount: i64, format: Format) -> Self {
        Self {
            nanos: amount as i128 * NANO,
            format,
        }
    }

    /// An amount of thousandths, as CPU is counted.
    pub const fn from_millis(millis: i64) -> Self {
        Self {
            nanos: millis as i128 * (NANO / 1000),
            format: Format::Decimal,
        }
    }

    /// In wholes, rounded away from zero.
    pub fn value(&self) -> i64 {
        saturate(div_away(self.nanos, NANO))
    }

    /// In thousandths, rounded away from zero.
    pub fn milli_value(&self) -> i64 {
        saturate(div_away(self.nanos, NANO / 1000))
    }

    /// In wholes, with the error of a floating point number.
    pub fn as_f64(&self) -> f64 {
        self.nanos as f64 / NANO as f64
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// The family of suffixes that it is written with.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Adds. A zero takes the other's format on.
    pub fn add(&mut self, other: Quantity) {
        self.combine(other, i128::saturating_add);
    }

    /// Subtracts. A zero takes the other's format on.
    pub fn sub(&mut self, other: Quantity) {
        self.combine(other, i128::saturating_sub);
    }

    fn combine(&mut self, other: Quantity, combine: fn(i128, i128) -> i128) {
        if self.is_zero() {
            self.format = other.format;
        }
        self.nanos = combine(self.nanos, other.nanos);
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (is_negative, unsigned) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        if !number.bytes().any(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') {
            return Err(QuantityError::Number);
        }
        let scale = Scale::parse(suffix)?;
        let nanos = scale.apply(whole, fraction).unwrap_or(MAX);
        Ok(Self {
            nanos: if is_negative { -nanos } else { nanos },
            format: scale.format(),
        })
    }
}

/// What a suffix multiplies by.
#[derive(Clone, Copy)]
enum Scale {
    Ten { power: i32, format: Format },
    Two(u32),
}

impl Scale {
    fn parse(suffix: &str) -> Result<Self, QuantityError> {
        if let Some((_, power)) = DECIMAL_SUFFIXES.iter().find(|(name, _)| *name == suffix) {
            return Ok(Self::Ten {
                power: *power,
                format: Format::Decimal,
            });
        }
        if let Some((_, power)) = BINARY_SUFFIXES.iter().find(|(name, _)| *name == suffix) {
            return Ok(Self::Two(*power));
        }
        match suffix.strip_prefix(['e', 'E']).map(str::parse) {
            Some(Ok(power)) => Ok(Self::Ten {
                power,
                format: Format::Exponent,
            }),
            _ if suffix
                .bytes()
                .all(|b| b"eEinumkKMGTP+-0123456789".contains(&b)) =>
            {
                Err(QuantityError::Suffix)
            }
            _ => Err(QuantityError::Format),
        }
    }

    fn format(self) -> Format {
        match self {
            Self::Ten { format, .. } => format,
            Self::Two(_) => Format::Binary,
        }
    }

    /// `whole.fraction` times this scale in billionths, rounded up. Nothing on overflow.
    fn apply(self, whole: &str, fraction: &str) -> Option<i128> {
        let fraction = fraction.trim_end_matches('0');
        let mut digits = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|b| i128::from(b - b'0'));
        let power = -i32::try_from(fraction.len()).ok()?;
        if digits.clone().all(|digit| digit == 0) {
            return Some(0);
        }
        match self {
            Self::Ten { power: more, .. } => {
                let power = power.saturating_add(more).saturating_add(9);
                // Digits below a billionth can only round up: they are dropped before they overflow.
                let drop = usize::try_from(power.min(0).unsigned_abs()).ok()?;
                let len = whole.len() + fraction.len();
                let kept = len.saturating_sub(drop);
                let sum = digits.by_ref().take(kept).try_fold(0i128, append)?;
                let is_rest = digits.any(|digit| digit != 0);
                let scaled = match power {
                    ..=0 => sum,
                    power => sum.checked_mul(10i128.checked_pow(power.unsigned_abs())?)?,
                };
                scaled.checked_add(i128::from(is_rest))
            }
            Self::Two(bits) => {
                let unit = NANO << bits;
                let wholes = digits.by_ref().take(whole.len()).try_fold(0, append)?;
                // From the last digit to the first: rounding up step by step is rounding up once.
                let add = |part, digit| div_away(part + digit * unit, 10);
                let part = digits.rev().fold(0, add);
                wholes.checked_mul(unit)?.checked_add(part)
            }
        }
    }
}

fn append(sum: i128, digit: i128) -> Option<i128> {
    sum.checked_mul(10)?.checked_add(digit)
}

/// The quotient, rounded away from zero.
fn div_away(number: i128, by: i128) -> i128 {
    let rest = number % by;
    number / by + rest.signum()
}

fn saturate(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Binary suffixes are for whole amounts of at least 1024: anything else would lose precision.
        let is_binary = self.nanos % NANO == 0 && self.nanos.abs() >= 1024 * NANO;
        match self.format {
            _ if self.nanos == 0 => f.write_str("0"),
            Format::Binary if is_binary => {
                let mut number = self.nanos / NANO;
                let mut suffix = "";
                for (name, _) in BINARY_SUFFIXES {
                    if number % 1024 != 0 {
                        break;
                    }
                    number /= 1024;
                    suffix = name;
                }
                write!(f, "{number}{suffix}")
            }
            format => {
                let (mut number, mut power) = (self.nanos, -9);
                while number % 1000 == 0 && (power < 18 || format == Format::Exponent) {
                    number /= 1000;
                    power += 3;
                }
                let suffix = DECIMAL_SUFFIXES
                    .iter()
                    .find(|(_, exponent)| *exponent == power);
                match (format, suffix) {
                    (Format::Exponent, _) if power != 0 => write!(f, "{number}e{power}"),
                    (_, suffix) => write!(f, "{number}{}", suffix.map_or("", |(name, _)| name)),
                }
            }
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
