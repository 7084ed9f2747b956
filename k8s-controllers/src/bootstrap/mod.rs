//! Bootstrap tokens: [`clean`] removes those whose time is up, [`sign`] lets whoever holds one check
//! that `cluster-info` is of the cluster that it was given for.

pub mod clean;
pub mod sign;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

/// Where the tokens are.
const NAMESPACE: &str = "kube-system";
/// The type of the secrets that hold them.
const TYPE: &str = "bootstrap.kubernetes.io/token";

/// One of a secret's values, as text.
fn text<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok()
}

/// How long a token is good yet; `None` if for ever. One whose expiry can't be read isn't good at all.
fn left(secret: &Secret, now: Timestamp) -> Option<Duration> {
    let expiration = secret.data.as_ref()?.get("expiration")?;
    if expiration.0.is_empty() {
        return None;
    }
    let until = text(secret, "expiration").and_then(|text| text.parse::<Timestamp>().ok());
    let left = until.map(|until| until.duration_since(now));
    let left = left.and_then(|left| Duration::try_from(left).ok());
    Some(left.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expiration: Option<&str>, want: Option<u64>) {
        let data = expiration.map(|text| {
            let bytes = k8s_openapi::ByteString(text.into());
            ("expiration".to_owned(), bytes)
        });
        let secret = Secret {
            data: Some(data.into_iter().collect()),
            ..Secret::default()
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(left(&secret, now), want.map(Duration::from_secs));
    }

    #[test]
    fn a_token_is_good_until_its_time_is_up() {
        check(None, None);
        check(Some(""), None);
        check(Some("2026-01-01T00:01:00Z"), Some(60));
        check(Some("2026-01-01T00:00:00Z"), Some(0));
        check(Some("2025-01-01T00:00:00Z"), Some(0));
        check(Some("soon"), Some(0));
    }
}
