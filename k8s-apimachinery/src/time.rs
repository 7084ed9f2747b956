//! `metav1.Time` and `metav1.MicroTime`: RFC 3339 texts in UTC, to the second and to the microsecond.
//!
//! Nothing here reads a clock: the time is handed in.

use jiff::{Timestamp, Unit};

/// The layout that Kubernetes names in its complaints.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// The text is no RFC 3339 time; the message is the one that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {text:?} as {LAYOUT:?}: cannot parse {rest:?} as {expected:?}")]
pub struct TimeError {
    text: String,
    rest: String,
    expected: &'static str,
}

/// `2026-01-02T03:04:05Z`: how `metav1.Time` is written.
pub fn seconds(time: Timestamp) -> String {
    format!("{:.0}", floor(time, Unit::Second))
}

/// `2026-01-02T03:04:05.678901Z`: how `metav1.MicroTime` is written.
pub fn micros(time: Timestamp) -> String {
    format!("{:.6}", floor(time, Unit::Microsecond))
}

/// Reads either form, in any time zone.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    check_layout(text)?;
    text.parse().map_err(|_| TimeError {
        text: text.to_owned(),
        rest: text.to_owned(),
        expected: "2006",
    })
}

fn floor(time: Timestamp, unit: Unit) -> Timestamp {
    let mode = jiff::RoundMode::Floor;
    let options = jiff::TimestampRound::new().smallest(unit).mode(mode);
    // Rounding down can fail only below the smallest time there is.
    time.round(options).unwrap_or(time)
}

/// The parser is laxer than RFC 3339; this isn't. Each part: how many digits, what follows, its name in the layout.
fn check_layout(text: &str) -> Result<(), TimeError> {
    const PARTS: [(usize, &str, &str); 6] = [
        (4, "-", "2006"),
        (2, "-", "01"),
        (2, "T", "02"),
        (2, ":", "15"),
        (2, ":", "04"),
        (2, "", "05"),
    ];
    let fail = |rest: &str, expected| {
        Err(TimeError {
            text: text.to_owned(),
            rest: rest.to_owned(),
            expected,
        })
    };
    let mut rest = text;
    for (digits, separator, name) in PARTS {
        let is_number =
            rest.len() >= digits && rest.bytes().take(digits).all(|b| b.is_ascii_digit());
        if !is_number {
            return fail(rest, name);
        }
        match rest[digits..].strip_prefix(separator) {
            Some(after) => rest = after,
            None => return fail(&rest[digits..], separator),
        }
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    match is_zone(rest) {
        true => Ok(()),
        false => fail(rest, "Z07:00"),
    }
}

fn is_zone(text: &str) -> bool {
    match text.as_bytes() {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_seconds_and_microseconds_rounded_down() {
        let time = parse("2026-01-02T03:04:05.9999999Z").unwrap();
        assert_eq!(seconds(time), "2026-01-02T03:04:05Z");
        assert_eq!(micros(time), "2026-01-02T03:04:05.999999Z");
        assert_eq!(
            micros(parse("2026-01-02T03:04:05Z").unwrap()),
            "2026-01-02T03:04:05.000000Z"
        );
    }

    #[test]
    fn zones_become_utc() {
        assert_eq!(
            seconds(parse("2026-01-02T03:04:05+02:00").unwrap()),
            "2026-01-02T01:04:05Z"
        );
    }

    #[test]
    fn complaints_are_kubernetes_own() {
        let complaint = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            complaint("yesterday"),
            r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#
        );
        assert_eq!(
            complaint("2026-01-02 03:04:05Z"),
            r#"parsing time "2026-01-02 03:04:05Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 03:04:05Z" as "T""#
        );
        assert!(complaint("2026-01-02T03:04:05").ends_with(r#"cannot parse "" as "Z07:00""#));
    }
}
