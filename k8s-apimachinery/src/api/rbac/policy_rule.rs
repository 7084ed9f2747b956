//! One rule of a role: verbs on resources, or on paths.

use crate::api::Field;

/// Checks a role's rules. Only cluster-wide roles may speak of paths.
pub(super) fn check_all(rules: &Field, is_namespaced: bool) {
    for rule in rules.items() {
        let [verbs, groups, resources, urls] =
            ["verbs", "apiGroups", "resources", "nonResourceURLs"].map(|field| rule.get(field));
        if verbs.is_empty() {
            verbs.required("verbs must contain at least one value");
        }
        if !urls.is_empty() {
            if is_namespaced {
                urls.invalid("namespaced rules cannot apply to non-resource URLs");
            }
            if !groups.is_empty() || !resources.is_empty() || !rule.get("resourceNames").is_empty()
            {
                urls.invalid("rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        if groups.is_empty() {
            groups.required("resource rules must supply at least one api group");
        }
        if resources.is_empty() {
            resources.required("resource rules must supply at least one resource");
        }
    }
}
