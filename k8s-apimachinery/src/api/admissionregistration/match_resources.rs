//! Which requests a policy is about.

use serde_json::{Map, Value};

use super::rule;
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field};

/// Fills in what a policy matches.
pub(super) fn default(resources: &mut Map<String, Value>) {
    resources.fill("matchPolicy", "Equivalent");
    resources.ensure("namespaceSelector");
    resources.ensure("objectSelector");
    for rules in ["resourceRules", "excludeResourceRules"] {
        resources.objects(rules).for_each(rule::default);
    }
}

/// Checks what a policy matches.
pub(super) fn check(resources: &Field) {
    resources
        .get("matchPolicy")
        .must_be_one_of(&["Equivalent", "Exact"]);
    for field in ["namespaceSelector", "objectSelector"] {
        let selector = resources.get(field);
        if selector.must_be_there() {
            check_label_selector(&selector);
        }
    }
    for rules in ["resourceRules", "excludeResourceRules"] {
        for each in resources.get(rules).items() {
            rule::check_named(&each);
        }
    }
}
