//! Which servers' word of progress can be trusted.
//!
//! Before etcd 3.4.31 and 3.5.13, a progress notification that was asked for could overtake events
//! (etcd's issue 15220), as Kubernetes takes into account (KEP-2340).

/// Whether a server of this version tells a watch its progress in order. What is no version is not
/// trusted.
pub(super) fn tells_progress(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return false;
    };
    match (major, minor) {
        (..=2, _) | (3, ..=3) => false,
        (3, 4) => patch >= 31,
        (3, 5) => patch >= 13,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_releases_are_trusted() {
        for trusted in ["3.4.31", "3.4.40", "3.5.13", "3.6.0", "3.6.0-rc.1", "4.0.0"] {
            assert!(tells_progress(trusted), "{trusted}");
        }
        for distrusted in [
            "3.3.27", "3.4.23", "3.4.30", "3.5.1", "3.5.12", "", "3.5", "x.y.z",
        ] {
            assert!(!tells_progress(distrusted), "{distrusted}");
        }
    }
}
