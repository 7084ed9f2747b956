//! APIService: who serves a version of an API group.

use serde_json::Value;

use crate::api::{Edit, Field, NameRule, Rules};
use crate::name;
use crate::object::Object;

const STATES: [&str; 3] = ["True", "False", "Unknown"];

/// Rules of `apiregistration.k8s.io/v1` `APIService`.
pub struct APIService;

impl Rules for APIService {
    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().object("spec");
        if let Some(service) = spec.and_then(|spec| spec.object("service")) {
            service.fill("port", 443);
        }
    }

    fn check(&self, object: &Field) {
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        let (name, group, version) = (metadata.get("name"), spec.get("group"), spec.get("version"));
        let wanted = format!("{}.{}", version.str(), group.str());
        if NameRule::PathSegment.faults(name.str()).is_empty() && name.str() != wanted {
            name.invalid(format!(
                "must be `spec.version+\".\"+spec.group`: {wanted:?}"
            ));
        }
        if !group.is_empty() {
            group.invalid_for(name::dns1123_subdomain(group.str()));
        } else if version.str() != "v1" {
            group.required("only v1 may have an empty group and it better be legacy kube");
        }
        for message in name::dns1035_label(version.str()) {
            version.invalid_value(version.str(), message);
        }
        check_priority(&spec.get("groupPriorityMinimum"), 20_000);
        check_priority(&spec.get("versionPriority"), 1000);
        check_service(&spec);
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        for condition in status.get("conditions").items() {
            let state = condition.get("status");
            if !STATES.contains(&state.str()) {
                state.unsupported(&STATES);
            }
        }
    }
}

fn check_priority(priority: &Field, max: i64) {
    let number = priority.int().unwrap_or(0);
    if !(1..=max).contains(&number) {
        priority.invalid_value(number, format!("must be positive and less than {max}"));
    }
}

/// A service is called over TLS; without one this server answers itself.
fn check_service(spec: &Field) {
    let [service, bundle, insecure] =
        ["service", "caBundle", "insecureSkipTLSVerify"].map(|field| spec.get(field));
    if !service.is_set() {
        if !bundle.is_empty() {
            bundle.invalid_value(
                format!("{} bytes", decoded_len(bundle.str())),
                "local APIServices may not have a caBundle",
            );
        }
        if insecure.is_true() {
            insecure.invalid("local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    for field in ["namespace", "name"] {
        service.get(field).must_be_set();
    }
    if insecure.is_true() && !bundle.is_empty() {
        insecure.invalid_value(Value::Bool(true), "may not be true if caBundle is present");
    }
    let port = service.get("port");
    if port.is_set() {
        port.must_be_port();
    }
}

fn decoded_len(base64: &str) -> usize {
    base64.len() / 4 * 3 - base64.bytes().rev().take_while(|c| *c == b'=').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, object};
    use serde_json::json;

    fn service(name: &str, fields: Value) -> Object {
        let mut spec = json!({
            "group": "example.com", "version": "v1",
            "groupPriorityMinimum": 1000, "versionPriority": 15,
        });
        for (field, value) in fields.as_object().expect("an object") {
            spec[field] = value.clone();
        }
        object(json!({"metadata": {"name": name}, "spec": spec}))
    }

    #[test]
    fn the_name_is_version_and_group() {
        check_create(&APIService, service("v1.example.com", json!({})), &[]);
        check_create(&APIService, service("v1.", json!({"group": null})), &[]);
        check_create(
            &APIService,
            service("a", json!({"versionPriority": 1001})),
            &[
                r#"metadata.name: Invalid value: "a": must be `spec.version+"."+spec.group`: "v1.example.com""#,
                "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000",
            ],
        );
    }

    #[test]
    fn local_services_need_no_trust() {
        check_create(
            &APIService,
            service("v1.example.com", json!({"caBundle": "YWI="})),
            &[
                r#"spec.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle"#,
            ],
        );
        let remote = json!({
            "service": {"name": "a"}, "insecureSkipTLSVerify": true, "caBundle": "YWI=",
        });
        check_create(
            &APIService,
            service("v1.example.com", remote),
            &[
                "spec.service.namespace: Required value",
                "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
            ],
        );
    }
}
