//! Amounts that are a number or a share of a whole.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A number as it is, a percentage of `total`; never negative.
pub(crate) fn scaled(value: &IntOrString, total: i32, round_up: bool) -> i32 {
    let percent = match value {
        IntOrString::Int(number) => return (*number).max(0),
        IntOrString::String(text) => text.strip_suffix('%').and_then(|text| text.parse().ok()),
    };
    let product = i64::from(total) * percent.unwrap_or(0);
    let rounding = if round_up { 99 } else { 0 };
    i32::try_from((product + rounding) / 100)
        .unwrap_or(i32::MAX)
        .max(0)
}
