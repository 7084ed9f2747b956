//! What both checks of seccomp profiles look at: who switches the filter off.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod_security::{
    Subject, Violation,
    subject::text,
    violation::{Setters, quoted_set},
};

pub(super) const REASON: &str = "seccompProfile";

/// The profile's type, if there is a profile.
pub(super) fn type_of(context: &Value) -> Option<&str> {
    let profile = &context["seccompProfile"];
    (!profile.is_null()).then(|| text(&profile["type"]))
}

/// Whether the filter is on.
pub(super) fn is_filtering(type_: &str) -> bool {
    matches!(type_, "RuntimeDefault" | "Localhost")
}

/// The pod or containers that choose a profile that is none.
pub(super) fn check_chosen(subject: &Subject) -> Option<Violation> {
    let bad = |context| type_of(context).filter(|type_| !is_filtering(type_));
    let setters = Setters {
        pod: bad(subject.security()).is_some(),
        containers: subject.containers_that(|it| bad(it.security()).is_some()),
    };
    let contexts = subject.containers().map(|container| container.security());
    let values: BTreeSet<&str> = contexts
        .chain([subject.security()])
        .filter_map(bad)
        .collect();
    (!setters.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!(
            "{setters} must not set securityContext.seccompProfile.type to {}",
            quoted_set(&values)
        ),
    })
}
