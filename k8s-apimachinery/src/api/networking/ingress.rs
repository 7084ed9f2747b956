//! Ingress: routes from outside to services, by host and path.

use std::net::IpAddr;

use crate::api::core::port_name_faults;
use crate::api::{Field, NameRule, Rules};
use crate::{ip, name};

use super::check_reference;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const NOT_A_NAME: &str = "must be a DNS name, not an IP address";
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];

/// Rules of `networking.k8s.io/v1` `Ingress`.
pub struct Ingress;

impl Rules for Ingress {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let (rules, backend) = (spec.get("rules"), spec.get("defaultBackend"));
        if rules.is_empty() && !backend.is_set() {
            let rules = rules.value().cloned().unwrap_or_default();
            spec.invalid_value(
                rules,
                "either `defaultBackend` or `rules` must be specified",
            );
        }
        if backend.is_set() {
            check_backend(&backend);
        }
        rules.items().for_each(|rule| check_rule(&rule));
        spec.get("tls").items().for_each(|tls| check_tls(&tls));
        let class = spec.get("ingressClassName");
        if class.is_set() {
            class.invalid_for(name::dns1123_subdomain(class.str()));
        }
    }

    fn check_create(&self, object: &Field) {
        let metadata = object.get("metadata");
        let annotations = metadata.get("annotations");
        let annotated = annotations.key(CLASS_ANNOTATION);
        let spec = object.get("spec");
        let class = spec.get("ingressClassName");
        if annotated.is_set() && class.is_set() && annotated.str() != class.str() {
            // Kubernetes reports it at `annotations`, not at `metadata.annotations`.
            let annotations = object.get("annotations");
            annotations.get(CLASS_ANNOTATION).invalid_value(
                annotated.str(),
                "must match `ingressClassName` when both are specified",
            );
        }
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        let status = new.get("status");
        for point in status.get("loadBalancer").get("ingress").items() {
            check_entry_point(&point);
        }
    }
}

fn check_rule(rule: &Field) {
    let host = rule.get("host");
    if !host.is_empty() {
        check_host(&host);
    }
    let http = rule.get("http");
    if http.is_set() {
        let paths = http.get("paths");
        paths.must_be_set();
        paths.items().for_each(|path| check_path(&path));
    }
}

fn check_host(host: &Field) {
    if host.str().parse::<IpAddr>().is_ok() {
        host.invalid(NOT_A_NAME);
    }
    check_name_or_wildcard(host);
}

fn check_name_or_wildcard(host: &Field) {
    match host.str().contains('*') {
        true => host.invalid_for(name::wildcard_dns1123_subdomain(host.str())),
        false => host.invalid_for(name::dns1123_subdomain(host.str())),
    }
}

fn check_tls(tls: &Field) {
    let hosts = tls.get("hosts");
    hosts.items().for_each(|host| check_name_or_wildcard(&host));
    let secret = tls.get("secretName");
    if !secret.is_empty() {
        secret.invalid_for(name::dns1123_subdomain(secret.str()));
    }
}

fn check_path(path: &Field) {
    let (type_, text) = (path.get("pathType"), path.get("path"));
    if !type_.is_set() {
        return type_.required("pathType must be specified");
    }
    match type_.str() {
        "Exact" | "Prefix" => {
            if !text.str().starts_with('/') {
                text.invalid_value(text.str(), "must be an absolute path");
            }
            for banned in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.str().contains(banned) {
                    text.invalid(format!("must not contain '{banned}'"));
                }
            }
            for banned in ["/..", "/."] {
                if text.str().ends_with(banned) {
                    text.invalid(format!("cannot end with '{banned}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.str().starts_with('/') {
                text.invalid("must be an absolute path");
            }
        }
        _ => type_.unsupported(&PATH_TYPES),
    }
    check_backend(&path.get("backend"));
}

fn check_backend(backend: &Field) {
    let (resource, service) = (backend.get("resource"), backend.get("service"));
    match (resource.is_set(), service.is_set()) {
        (true, true) => {
            backend.invalid_value("", "cannot set both resource and service backends");
        }
        (true, false) => check_reference(&resource),
        (false, true) => check_service(backend, &service),
        (false, false) => backend.invalid_value("", "resource or service backend is required"),
    }
}

fn check_service(backend: &Field, service: &Field) {
    let service_name = service.get("name");
    if service_name.must_be_set() {
        service_name.invalid_for(name::dns1123_label(service_name.str()));
    }
    let port = service.get("port");
    let (port_name, number) = (port.get("name"), port.get("number"));
    match (port_name.is_empty(), number.int().unwrap_or(0)) {
        (false, 1..) | (false, ..=-1) => {
            backend.invalid_value("", "cannot set both port name & port number");
        }
        (false, 0) => port_name.invalid_for(port_name_faults(port_name.str())),
        (true, 0) => backend.required("port name or number is required"),
        (true, _) => number.must_be_port(),
    }
}

fn check_entry_point(point: &Field) {
    let (address, hostname) = (point.get("ip"), point.get("hostname"));
    if !address.is_empty() {
        address.invalid_for(ip::address_faults(address.str()));
    }
    if !hostname.is_empty() {
        hostname.invalid_for(name::dns1123_subdomain(hostname.str()));
        if hostname.str().parse::<IpAddr>().is_ok() {
            hostname.invalid(NOT_A_NAME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_status, named};
    use crate::object::Object;
    use serde_json::{Value, json};

    fn with_path(path: Value) -> Object {
        named(json!({"spec": {"rules": [{"host": "a.example.com", "http": {"paths": [path]}}]}}))
    }

    fn with_backend(backend: Value) -> Object {
        named(json!({"spec": {"defaultBackend": backend}}))
    }

    #[test]
    fn there_is_a_rule_or_a_backend_for_the_rest() {
        check_create(
            &Ingress,
            named(json!({})),
            &[
                r#"spec: Invalid value: "null": either `defaultBackend` or `rules` must be specified"#,
            ],
        );
        check_create(
            &Ingress,
            with_backend(json!({"service": {"name": "a", "port": {"number": 80}}})),
            &[],
        );
    }

    #[test]
    fn backends_are_a_service_or_a_resource() {
        check_create(
            &Ingress,
            with_backend(json!({})),
            &[r#"spec.defaultBackend: Invalid value: "": resource or service backend is required"#],
        );
        check_create(
            &Ingress,
            with_backend(json!({"service": {"name": "a"}})),
            &["spec.defaultBackend: Required value: port name or number is required"],
        );
        check_create(
            &Ingress,
            with_backend(json!({"service": {"name": "a", "port": {"name": "x", "number": 1}}})),
            &[r#"spec.defaultBackend: Invalid value: "": cannot set both port name & port number"#],
        );
        check_create(
            &Ingress,
            with_backend(json!({"resource": {"kind": "Bucket"}})),
            &["spec.defaultBackend.resource.name: Required value: name is required"],
        );
    }

    #[test]
    fn paths_say_how_they_match() {
        let path = |path_type: Value, text: &str| {
            let backend = json!({"service": {"name": "a", "port": {"number": 80}}});
            with_path(json!({"path": text, "pathType": path_type, "backend": backend}))
        };
        let at = "spec.rules[0].http.paths[0]";
        check_create(&Ingress, path(json!("Prefix"), "/"), &[]);
        check_create(
            &Ingress,
            path(json!(null), "/"),
            &[&format!(
                "{at}.pathType: Required value: pathType must be specified"
            )],
        );
        check_create(
            &Ingress,
            path(json!("Exact"), "a//b/.."),
            &[
                &format!(r#"{at}.path: Invalid value: "a//b/..": must be an absolute path"#),
                &format!(r#"{at}.path: Invalid value: "a//b/..": must not contain '//'"#),
                &format!(r#"{at}.path: Invalid value: "a//b/..": cannot end with '/..'"#),
            ],
        );
        check_create(
            &Ingress,
            path(json!("Glob"), "/"),
            &[&format!(
                r#"{at}.pathType: Unsupported value: "Glob": supported values: "Exact", "ImplementationSpecific", "Prefix""#
            )],
        );
    }

    #[test]
    fn hosts_are_names() {
        let host = |host: &str| named(json!({"spec": {"rules": [{"host": host}]}}));
        check_create(&Ingress, host("*.example.com"), &[]);
        check_create(
            &Ingress,
            host("10.0.0.1"),
            &[
                r#"spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address"#,
            ],
        );
    }

    #[test]
    fn the_class_has_one_name() {
        let object = |class: &str| {
            named(json!({
                "metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}},
                "spec": {"ingressClassName": class, "rules": [{}]},
            }))
        };
        check_create(&Ingress, object("x"), &[]);
        check_create(
            &Ingress,
            object("y"),
            &[
                r#"annotations.kubernetes.io/ingress.class: Invalid value: "x": must match `ingressClassName` when both are specified"#,
            ],
        );
    }

    #[test]
    fn the_status_holds_addresses_and_names() {
        let with = |point: Value| named(json!({"status": {"loadBalancer": {"ingress": [point]}}}));
        check_status(&Ingress, with(json!({"ip": "10.0.0.1"})), &[]);
        check_status(
            &Ingress,
            with(json!({"hostname": "10.0.0.1"})),
            &[
                r#"status.loadBalancer.ingress[0].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address"#,
            ],
        );
    }
}
