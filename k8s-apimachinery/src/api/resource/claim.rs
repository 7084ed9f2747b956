//! The devices that a claim, or a template of claims, asks for.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::identifier::{check_fully_qualified, check_label};
use super::{must_be_short, must_differ, selector, taint};
use crate::api::{Edit, Field};
use crate::name;

const MAX_REQUESTS: usize = 32;
const MAX_ALTERNATIVES: usize = 8;
const MAX_CONSTRAINTS: usize = 32;
const MAX_CONFIGS: usize = 32;
const NOT_A_REQUEST: &str = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

/// Fills in the spec of a claim.
pub(super) fn default(spec: &mut Map<String, Value>) {
    let Some(devices) = spec.object("devices") else {
        return;
    };
    for request in devices.objects("requests") {
        if let Some(exactly) = request.object("exactly") {
            default_request(exactly);
        }
        request.objects("firstAvailable").for_each(default_request);
    }
}

fn default_request(request: &mut Map<String, Value>) {
    request.fill("allocationMode", "ExactCount");
    if request.text("allocationMode") == "ExactCount" {
        request.fill_zero("count", 1);
    }
    for toleration in request.objects("tolerations") {
        toleration.fill("operator", "Equal");
    }
}

/// Checks the spec of a claim.
pub(super) fn check(spec: &Field) {
    let devices = spec.get("devices");
    let names = RequestNames::of(&devices);
    let requests = devices.get("requests");
    if must_be_short(&requests, MAX_REQUESTS) {
        let constrained = Constrained::by(&devices.get("constraints"));
        for request in requests.items() {
            check_request(&request, &constrained);
        }
        must_differ(&requests, "name");
    }
    let constraints = devices.get("constraints");
    if must_be_short(&constraints, MAX_CONSTRAINTS) {
        for constraint in constraints.items() {
            check_constraint(&constraint, &names);
        }
    }
    let configs = devices.get("config");
    if must_be_short(&configs, MAX_CONFIGS) {
        for config in configs.items() {
            check_references(&config.get("requests"), &names);
            selector::check_configuration(&config);
        }
    }
}

/// The names by which parts of a claim refer to its requests.
pub(super) struct RequestNames<'v>(HashMap<&'v str, HashSet<&'v str>>);

impl<'v> RequestNames<'v> {
    pub(super) fn of(devices: &Field<'_, 'v>) -> Self {
        let mut names: HashMap<_, HashSet<_>> = HashMap::new();
        for request in devices.get("requests").items() {
            let alternatives = names.entry(request.get("name").str()).or_default();
            for alternative in request.get("firstAvailable").items() {
                alternatives.insert(alternative.get("name").str());
            }
        }
        Self(names)
    }

    fn has(&self, reference: &str) -> bool {
        let (request, alternative) = match reference.split_once('/') {
            None => (reference, None),
            Some((request, alternative)) => (request, Some(alternative)),
        };
        let found = self.0.get(request);
        found.is_some_and(|names| alternative.is_none_or(|name| names.contains(name)))
    }
}

/// Which attributes the constraints of a claim are about, by the request that they name; all requests without one.
struct Constrained<'v>(HashSet<(&'v str, &'v str)>);

impl<'v> Constrained<'v> {
    fn by(constraints: &Field<'_, 'v>) -> Self {
        let mut attributes = HashSet::new();
        for constraint in constraints.items() {
            let (same, other) = (
                constraint.get("matchAttribute"),
                constraint.get("distinctAttribute"),
            );
            let attribute = if same.is_set() {
                same.str()
            } else {
                other.str()
            };
            let requests = constraint.get("requests");
            if requests.is_empty() {
                attributes.insert(("", attribute));
            }
            for request in requests.items() {
                attributes.insert((request.str(), attribute));
            }
        }
        Self(attributes)
    }

    fn has(&self, request: &str, attribute: &str) -> bool {
        let parent = request.split('/').next().unwrap_or_default();
        ["", request, parent]
            .iter()
            .any(|request| self.0.contains(&(*request, attribute)))
    }
}

fn check_request(request: &Field, constrained: &Constrained) {
    let name = request.get("name");
    check_label(&name);
    let (exactly, first) = (request.get("exactly"), request.get("firstAvailable"));
    match (exactly.is_set(), first.is_empty()) {
        (false, true) => {
            request.required("exactly one of `exactly` or `firstAvailable` is required");
        }
        (true, false) => request.invalid_value(
            Value::Null,
            "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set",
        ),
        (true, true) => check_devices(&exactly, name.str(), constrained),
        (false, false) => {
            if !must_be_short(&first, MAX_ALTERNATIVES) {
                return;
            }
            for alternative in first.items() {
                let own = alternative.get("name");
                check_label(&own);
                let path = format!("{}/{}", name.str(), own.str());
                check_devices(&alternative, &path, constrained);
            }
            must_differ(&first, "name");
        }
    }
}

/// Checks how many devices of which class are asked for; `request` is how constraints name it.
fn check_devices(devices: &Field, request: &str, constrained: &Constrained) {
    let class = devices.get("deviceClassName");
    if class.must_be_set() {
        class.invalid_for(name::dns1123_subdomain(class.str()));
    }
    selector::check_all(&devices.get("selectors"));
    let derived = devices.get("derivedAttributes");
    for attribute in derived.items() {
        let name = attribute.get("name");
        if name.must_be_set() && !constrained.has(request, name.str()) {
            name.invalid("must be referenced by at least one matchAttribute or distinctAttribute constraint targeting this request");
        }
        attribute.get("expression").must_be_set();
    }
    must_differ(&derived, "name");
    check_count(devices);
    for toleration in devices.get("tolerations").items() {
        taint::check_toleration(&toleration);
    }
}

fn check_count(devices: &Field) {
    let (mode, count) = (devices.get("allocationMode"), devices.get("count"));
    let number = count.int().unwrap_or(0);
    match mode.str() {
        "All" if number != 0 => {
            count.invalid("must not be specified when allocationMode is 'All'");
        }
        "All" => {}
        "ExactCount" if number <= 0 => count.invalid_value(number, "must be greater than zero"),
        "ExactCount" => {}
        _ => mode.unsupported(&["All", "ExactCount"]),
    }
}

fn check_constraint(constraint: &Field, names: &RequestNames) {
    check_references(&constraint.get("requests"), names);
    let (same, other) = (
        constraint.get("matchAttribute"),
        constraint.get("distinctAttribute"),
    );
    match (same.is_set(), other.is_set()) {
        (true, _) => check_fully_qualified(&same),
        (false, true) => check_fully_qualified(&other),
        (false, false) => constraint.required(r#"exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set"#),
    }
}

/// Checks a list of names of requests.
pub(super) fn check_references(references: &Field, names: &RequestNames) {
    if !must_be_short(references, MAX_REQUESTS) {
        return;
    }
    references
        .items()
        .for_each(|reference| check_reference(&reference, names));
    must_differ(references, "");
}

/// Checks the name of a request, or of one of its alternatives.
pub(super) fn check_reference(reference: &Field, names: &RequestNames) {
    let text = reference.str();
    if text.split('/').count() > 2 {
        return reference.invalid(NOT_A_REQUEST);
    }
    for part in text.split('/') {
        for message in name::dns1123_label(part) {
            reference.invalid_value(part, message);
        }
    }
    if !names.has(text) {
        reference.invalid_value(text, NOT_A_REQUEST);
    }
}
