//! A container's image and when to pull it.

use crate::api::field::Field;

/// `Always` for a reference that moves (`latest`, or no tag at all), else `IfNotPresent`.
pub(super) fn default_pull_policy(image: &str) -> &'static str {
    let (reference, has_digest) = match image.split_once('@') {
        Some((reference, _)) => (reference, true),
        None => (image, false),
    };
    // A colon in front of a slash separates a registry's port.
    let last = reference.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, "latest")) => "Always",
        None if !has_digest => "Always",
        _ => "IfNotPresent",
    }
}

/// Checks the reference of a container that is to run, not of one in a template: it has no space around.
pub(in crate::api::core) fn check_trimmed(image: &Field) {
    if image.str().trim() != image.str() {
        image.invalid("must not have leading or trailing whitespace");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(image: &str, want: &str) {
        assert_eq!(default_pull_policy(image), want, "{image}");
    }

    #[test]
    fn moving_references_are_always_pulled() {
        check("nginx", "Always");
        check("nginx:latest", "Always");
        check("localhost:5000/nginx", "Always");
        check("nginx:1.25", "IfNotPresent");
        check("localhost:5000/nginx:1.25", "IfNotPresent");
        check("nginx@sha256:0123", "IfNotPresent");
        check("nginx:1.25@sha256:0123", "IfNotPresent");
    }
}
