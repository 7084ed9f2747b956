//! Event of the core group: what happened to an object, as users read it.
//!
//! The same objects are served as `events.k8s.io/v1`, whose stricter checks hold for events that
//! carry an `eventTime`.

use crate::api::events::event::check_reported;
use crate::api::{Field, NameRule, Rules};

/// Rules of `v1` `Event`.
pub struct Event;

impl Rules for Event {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        check_involved_namespace(object, "involvedObject");
        if object.get("eventTime").is_set() {
            check_reported(object, "reportingComponent");
        }
    }
}

/// An event lies beside the object it is about; those of objects without a namespace in `default`.
pub(in crate::api) fn check_involved_namespace(event: &Field, involved: &str) {
    let metadata = event.get("metadata");
    let namespace = metadata.get("namespace");
    let involved = event.get(involved);
    let involved = involved.get("namespace");
    let is_beside = match involved.str() {
        "" => matches!(namespace.str(), "default" | "kube-system"),
        other => other == namespace.str(),
    };
    if !is_beside {
        involved.invalid_value(involved.str(), "does not match event.namespace");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn events_lie_beside_their_object() {
        let about = |namespace: &str| named(json!({"involvedObject": {"namespace": namespace}}));
        check_create(&Event, about("default"), &[]);
        check_create(&Event, about(""), &[]);
        check_create(
            &Event,
            about("other"),
            &[
                r#"involvedObject.namespace: Invalid value: "other": does not match event.namespace"#,
            ],
        );
    }
}
