//! The times of a cron job: five fields, or a name such as `@daily`.
//!
//! Only whether the text is right is decided here; the times themselves are the controller's.

const NAMES: [&str; 7] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Bounds of the fields in order, and the names that count up from the lower one.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &MONTHS),
    (0, 6, &DAYS),
];

/// Whether the text is a schedule, or why not, in the words of the parser that Kubernetes uses.
///
/// ```
/// use k8s_apimachinery::api::batch::schedule;
/// assert_eq!(schedule::check("*/5 * * * mon-fri"), Ok(()));
/// assert_eq!(schedule::check("60 * * * *").unwrap_err(), "end of range (60) above maximum (59): 60");
/// ```
pub fn check(text: &str) -> Result<(), String> {
    let mut rest = text;
    if rest.starts_with("TZ=") || rest.starts_with("CRON_TZ=") {
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest.trim());
    }
    if rest.is_empty() {
        return Err("empty spec string".to_owned());
    }
    if rest.starts_with('@') {
        return check_name(rest);
    }
    let fields: Vec<_> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly 5 fields, found {}: [{}]",
            fields.len(),
            fields.join(" ")
        ));
    }
    for (field, bounds) in fields.iter().zip(FIELDS) {
        field
            .split(',')
            .filter(|range| !range.is_empty())
            .try_for_each(|range| check_range(range, bounds))?;
    }
    Ok(())
}

fn check_name(text: &str) -> Result<(), String> {
    match text.strip_prefix("@every ") {
        Some(duration) if !is_duration(duration) => Err(format!(
            "failed to parse duration {text}: time: invalid duration {duration:?}"
        )),
        Some(_) => Ok(()),
        None if NAMES.contains(&text) => Ok(()),
        None => Err(format!("unrecognized descriptor: {text}")),
    }
}

/// Numbers with units, as in `1h30m`.
fn is_duration(text: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.trim_start_matches(['-', '+']);
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(is_number);
        let end = unit.find(is_number).unwrap_or(unit.len());
        let has_number = unit.len() < rest.len();
        if !has_number || !["ns", "us", "µs", "ms", "s", "m", "h"].contains(&&unit[..end]) {
            return false;
        }
        rest = &unit[end..];
    }
    !text.is_empty()
}

fn check_range(text: &str, (low, high, names): (u32, u32, &[&str])) -> Result<(), String> {
    let (range, step) = match text.split_once('/') {
        Some((_, step)) if step.contains('/') => return Err(format!("too many slashes: {text}")),
        Some((range, step)) => (range, Some(step)),
        None => (text, None),
    };
    let number = |text: &str| -> Result<u32, String> {
        let named = names
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name));
        named.map_or_else(|| parse(text), |at| Ok(low + at as u32))
    };
    let (first, last) = match range.split_once('-') {
        _ if matches!(range, "*" | "?") => (low, high),
        Some((_, last)) if last.contains('-') => return Err(format!("too many hyphens: {text}")),
        Some((first, last)) => (number(first)?, number(last)?),
        None => {
            let first = number(range)?;
            (first, if step.is_some() { high } else { first })
        }
    };
    let step = step.map_or(Ok(1), parse)?;
    if first < low {
        Err(format!(
            "beginning of range ({first}) below minimum ({low}): {text}"
        ))
    } else if last > high {
        Err(format!(
            "end of range ({last}) above maximum ({high}): {text}"
        ))
    } else if first > last {
        Err(format!(
            "beginning of range ({first}) beyond end of range ({last}): {text}"
        ))
    } else if step == 0 {
        Err(format!("step of range should be a positive number: {text}"))
    } else {
        Ok(())
    }
}

fn parse(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => Err(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn fields_names_and_durations_are_schedules() {
        for text in [
            "* * * * *",
            "*/5 0-6 1,15 jan-mar ?",
            "@daily",
            "@every 1h30m",
            "TZ=UTC 0 0 * * 0",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn faults_are_told_in_the_parsers_words() {
        for (text, want) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            (
                "x * * * *",
                r#"failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#,
            ),
            (
                "5-1 * * * *",
                "beginning of range (5) beyond end of range (1): 5-1",
            ),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            (
                "*/0 * * * *",
                "step of range should be a positive number: */0",
            ),
            ("@never", "unrecognized descriptor: @never"),
            (
                "@every soon",
                r#"failed to parse duration @every soon: time: invalid duration "soon""#,
            ),
        ] {
            assert_eq!(check(text).unwrap_err(), want);
        }
    }
}
