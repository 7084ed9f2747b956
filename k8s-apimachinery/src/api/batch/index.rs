//! Sets of a job's indexes as text: `1,3-5,7`.

use std::collections::HashSet;

/// How many indexes the text names, in order and all below `completions`; or why it names none.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut last: Option<i64> = None;
    for interval in intervals(text) {
        let (first, end) = interval?;
        if let Some(last) = last
            && last >= first
        {
            return Err(format!(
                "non-increasing order, previous: {last}, current: {first}"
            ));
        }
        let too_large = [first, end].into_iter().find(|index| *index >= completions);
        if let Some(index) = too_large {
            return Err(format!("too large index: {:?}", index.to_string()));
        }
        if end < first {
            return Err(format!(
                "non-increasing order, previous: {first}, current: {end}"
            ));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

/// An index that both texts name.
pub(super) fn common(one: &str, other: &str) -> Option<i64> {
    let all = |text: &str| -> Vec<(i64, i64)> { intervals(text).filter_map(Result::ok).collect() };
    let (one, other) = (all(one), all(other));
    let starts: HashSet<i64> = one.iter().chain(&other).map(|(first, _)| *first).collect();
    let has =
        |list: &[(i64, i64)], index: i64| list.iter().any(|(a, b)| (*a..=*b).contains(&index));
    starts
        .into_iter()
        .filter(|index| has(&one, *index) && has(&other, *index))
        .min()
}

fn intervals(text: &str) -> impl Iterator<Item = Result<(i64, i64), String>> {
    let parts = text.split(',').filter(move |_| !text.is_empty());
    parts.map(|part| {
        let bound = |text: &str| text.parse::<i32>().map(i64::from).map_err(|_| {
            format!("cannot convert string to integer for index: {text:?}")
        });
        let mut limits = part.split('-');
        match (limits.next(), limits.next(), limits.next()) {
            (Some(first), None, _) => bound(first).map(|index| (index, index)),
            (Some(first), Some(end), None) => Ok((bound(first)?, bound(end)?)),
            _ => Err(format!("the fragment {part:?} violates the requirement that an index interval can have at most two parts separated by '-'")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<i64, &str>) {
        assert_eq!(count(text, 8), want.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn indexes_are_named_in_order_and_below_the_completions() {
        check("", Ok(0));
        check("1,3-5,7", Ok(5));
        check("3,1", Err("non-increasing order, previous: 3, current: 1"));
        check("1,8", Err("too large index: \"8\""));
        check(
            "x",
            Err("cannot convert string to integer for index: \"x\""),
        );
    }

    #[test]
    fn intervals_overlap_where_one_of_them_starts() {
        assert_eq!(common("1,3-5", "4-6"), Some(4));
        assert_eq!(common("1-2", "3"), None);
    }
}
