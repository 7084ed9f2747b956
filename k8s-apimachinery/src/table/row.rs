//! Building the cells of a row.

use jiff::Timestamp;

use crate::object::Object;

/// A time span in few characters, coarser as it grows: `45s`, `5m12s`, `3h`, `2d3h`, `3y40d`.
pub fn human_duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |unit: i64, name: &str, fraction: i64, fraction_name: &str| match seconds % unit
        / fraction
    {
        0 => format!("{}{name}", seconds / unit),
        rest => format!("{}{name}{rest}{fraction_name}", seconds / unit),
    };
    match seconds {
        // Clocks differ a little between machines: one second ahead is now.
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(MINUTE, "m", 1, "s"),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(HOUR, "h", MINUTE, "m"),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(DAY, "d", HOUR, "h"),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(YEAR, "y", DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// The time from `since` (RFC 3339) to `now`, `<unknown>` when it is absent or malformed.
pub fn age(since: Option<&str>, now: Timestamp) -> String {
    let since = since.and_then(|text| text.parse::<Timestamp>().ok());
    let age = since.map(|since| human_duration(now.duration_since(since).as_secs()));
    age.unwrap_or_else(|| "<unknown>".to_owned())
}

/// The object's age.
pub fn age_of(object: &Object, now: Timestamp) -> String {
    age(object.str(&["metadata", "creationTimestamp"]), now)
}

/// The text, or `fallback` (often `<none>`) when it is absent or empty.
pub fn text_or<'a>(text: Option<&'a str>, fallback: &'a str) -> &'a str {
    text.filter(|text| !text.is_empty()).unwrap_or(fallback)
}

/// The items separated by commas, `<none>` when there are none.
pub fn list_or_none<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut list = String::new();
    for item in items {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(item.as_ref());
    }
    if list.is_empty() {
        "<none>".to_owned()
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, want: &str) {
        assert_eq!(human_duration(seconds), want);
    }

    #[test]
    fn durations_lose_precision_as_they_grow() {
        let (m, h, d, y) = (60, 3600, 86_400, 365 * 86_400);
        check(-2, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(119, "119s");
        check(2 * m, "2m");
        check(5 * m + 12, "5m12s");
        check(10 * m + 5, "10m");
        check(179 * m, "179m");
        check(3 * h, "3h");
        check(3 * h + 5 * m, "3h5m");
        check(8 * h + 5 * m, "8h");
        check(47 * h, "47h");
        check(2 * d + 3 * h, "2d3h");
        check(8 * d + 3 * h, "8d");
        check(729 * d, "729d");
        check(2 * y + 40 * d, "2y40d");
        check(9 * y, "9y");
    }

    #[test]
    fn an_unknown_start_has_no_age() {
        let now = "2026-01-01T00:00:45Z".parse().expect("a timestamp");
        assert_eq!(age(Some("2026-01-01T00:00:00Z"), now), "45s");
        assert_eq!(age(None, now), "<unknown>");
        assert_eq!(age(Some("soon"), now), "<unknown>");
    }

    #[test]
    fn empty_lists_print_none() {
        assert_eq!(list_or_none(["a", "b"]), "a,b");
        assert_eq!(list_or_none::<&str>([]), "<none>");
    }
}
