//! One webhook: what both sorts of configurations have in common.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{expression::check_match_conditions, rule};
use crate::api::selector::check_label_selector;
use crate::api::{Edit, Field};
use crate::name;
use crate::object::Object;

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];

/// Fills in all webhooks of a configuration.
pub(super) fn default_all(object: &mut Object, also: fn(&mut Map<String, Value>)) {
    for webhook in object.as_map_mut().objects("webhooks") {
        webhook.fill("failurePolicy", "Fail");
        webhook.fill("matchPolicy", "Equivalent");
        webhook.ensure("namespaceSelector");
        webhook.ensure("objectSelector");
        webhook.fill("timeoutSeconds", 10);
        webhook.objects("rules").for_each(rule::default);
        let config = webhook.object("clientConfig");
        if let Some(service) = config.and_then(|config| config.object("service")) {
            service.fill("port", 443);
        }
        also(webhook);
    }
}

/// Checks all webhooks of a configuration.
pub(super) fn check_all(object: &Field, also: fn(&Field)) {
    let webhooks = object.get("webhooks");
    for webhook in webhooks.items() {
        check_name(&webhook.get("name"));
        for each in webhook.get("rules").items() {
            rule::check(&each);
        }
        webhook
            .get("failurePolicy")
            .may_be_one_of(&["Fail", "Ignore"]);
        webhook
            .get("matchPolicy")
            .may_be_one_of(&["Equivalent", "Exact"]);
        let effects = webhook.get("sideEffects");
        match effects.is_set() {
            true if SIDE_EFFECTS.contains(&effects.str()) => {}
            true => effects.unsupported(&SIDE_EFFECTS),
            false => effects.required("must specify one of None, NoneOnDryRun"),
        }
        let timeout = webhook.get("timeoutSeconds");
        if timeout
            .int()
            .is_some_and(|seconds| !(1..=30).contains(&seconds))
        {
            timeout.invalid("the timeout value must be between 1 and 30 seconds");
        }
        check_label_selector(&webhook.get("namespaceSelector"));
        check_label_selector(&webhook.get("objectSelector"));
        also(&webhook);
        check_client(&webhook.get("clientConfig"));
        check_match_conditions(&webhook.get("matchConditions"));
        check_versions(&webhook.get("admissionReviewVersions"));
    }
    webhooks.must_differ_in("name");
}

fn check_name(name: &Field) {
    if !name.must_be_set() {
        return;
    }
    let faults = name::dns1123_subdomain(name.str());
    if !faults.is_empty() {
        name.invalid(faults.join(","));
    } else if name.str().split('.').count() < 3 {
        name.invalid("should be a domain with at least three segments separated by dots");
    }
}

fn check_client(config: &Field) {
    let (url, service) = (config.get("url"), config.get("service"));
    match (url.is_set(), service.is_set()) {
        (true, false) => check_url(&url),
        (false, true) => check_service(&service),
        _ => config.required("exactly one of url or service is required"),
    }
}

fn check_url(url: &Field) {
    const EXPECTED: &str = "; desired format: https://host[/path]";
    let Some(rest) = url.str().strip_prefix("https://") else {
        let scheme = url.str().split_once("://").map_or("", |(scheme, _)| scheme);
        return url.invalid_value(
            scheme,
            format!("'https' is the only allowed URL scheme{EXPECTED}"),
        );
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() {
        url.invalid_value("", format!("host must be specified{EXPECTED}"));
    }
    if let Some((user, _)) = authority.rsplit_once('@') {
        let user = user.split(':').next().unwrap_or_default();
        url.invalid_value(user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        url.invalid_value(fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        url.invalid_value(query, "query parameters are not permitted in the URL");
    }
}

fn check_service(service: &Field) {
    for (field, otherwise) in [
        ("name", "service name is required"),
        ("namespace", "service namespace is required"),
    ] {
        let field = service.get(field);
        if field.is_empty() {
            field.required(otherwise);
        }
    }
    let port = service.get("port");
    if port.is_set() && !(1..=65535).contains(&port.int().unwrap_or(0)) {
        port.invalid(format!(
            "port is not valid: {}",
            name::port_number(port.int().unwrap_or(0)).join(",")
        ));
    }
    let path = service.get("path");
    if path.is_set() {
        check_path(&path);
    }
}

fn check_path(path: &Field) {
    let text = path.str();
    if text == "/" {
        return;
    }
    let Some(rest) = text.strip_prefix('/') else {
        return path.invalid("must start with a '/'");
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    for (at, step) in rest.split('/').enumerate() {
        if step.is_empty() {
            path.invalid(format!("segment[{at}] may not be empty"));
            continue;
        }
        for fault in name::dns1123_subdomain(step) {
            path.invalid(format!("segment[{at}]: {fault}"));
        }
    }
}

fn check_versions(versions: &Field) {
    let expected = REVIEW_VERSIONS.join(", ");
    if versions.is_empty() {
        return versions.required(format!("must specify one of {expected}"));
    }
    let mut seen = HashSet::new();
    for version in versions.items() {
        if !seen.insert(version.str()) {
            version.invalid("duplicate version");
            continue;
        }
        version.invalid_for(name::dns1035_label(version.str()));
    }
    if !REVIEW_VERSIONS.iter().any(|version| seen.contains(version)) {
        versions.invalid(format!("must include at least one of {expected}"));
    }
}

#[cfg(test)]
mod tests;
