//! For each kind an object that uses every field that there is, in `<group>/testdata/<Kind>.yaml`.
//!
//! Where fields exclude each other, list items or further documents hold the others. Each is accepted, and comes out as
//! it went in: nothing is added, dropped or reworded. A field that is in no object of its kind fails the test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rules;
use crate::object::Object;
use crate::scheme::schema::{Schema, Shape};
use crate::scheme::{codec, normalise, prune};

macro_rules! maximal {
    ($($group:literal: $($kind:literal)*;)*) => {
        const OBJECTS: &[(&str, &str)] = &[
            $($(($kind, include_str!(concat!($group, "/testdata/", $kind, ".yaml"))),)*)*
        ];
    };
}

maximal! {
    "admissionregistration":
        "MutatingAdmissionPolicy" "MutatingAdmissionPolicyBinding" "MutatingWebhookConfiguration"
        "ValidatingAdmissionPolicy" "ValidatingAdmissionPolicyBinding" "ValidatingWebhookConfiguration";
    "apiregistration": "APIService";
    "certificates": "ClusterTrustBundle" "PodCertificateRequest";
    "coordination": "Lease";
    "core": "ConfigMap" "Endpoints" "Event" "Namespace" "Node" "Secret" "Service" "ServiceAccount";
    "discovery": "EndpointSlice";
    "flowcontrol": "FlowSchema" "PriorityLevelConfiguration";
    "networking": "IPAddress" "Ingress" "IngressClass" "NetworkPolicy" "ServiceCIDR";
    "node": "RuntimeClass";
    "rbac": "ClusterRole" "ClusterRoleBinding" "Role" "RoleBinding";
    "resource":
        "DeviceClass" "DeviceTaintRule" "ResourceClaim" "ResourceClaimTemplate" "ResourceSlice";
    "scheduling": "PriorityClass";
    "storagemigration": "StorageVersionMigration";
}

/// Fields that no stored object of the kind can hold.
const NEVER_STORED: [(&str, &str); 2] = [("Role", "nonResourceURLs"), ("Secret", "stringData")];

fn documents(text: &str) -> Vec<Object> {
    let parse = |document: &str| {
        let (value, duplicates) = codec::decode_yaml(document.as_bytes()).expect("it is YAML");
        assert_eq!(duplicates.len(), 0);
        Object::from_value(value).expect("it is an object")
    };
    text.split("\n---\n").map(parse).collect()
}

#[test]
fn each_is_accepted_as_it_is() {
    for (kind, text) in OBJECTS {
        for object in documents(text) {
            assert_eq!(object.kind(), *kind);
            let faults = faults(&object);
            assert_eq!(faults, <[String; 0]>::default(), "{kind}");
        }
    }
}

/// Why the object is not taken just as it is.
fn faults(object: &Object) -> Vec<String> {
    let gvk = object.gvk();
    let rules = rules(&gvk).expect("rules of a built-in kind");
    let schema = Schema::builtin(&gvk).expect("the schema of a built-in kind");
    let mut value = object.clone().into_value();
    if let Err(error) = normalise(&schema, &mut value) {
        return error.errors().iter().map(|e| e.message.clone()).collect();
    }
    let mut faults = prune(&schema, &mut value);
    let mut made = Object::from_value(value).expect("it is still an object");
    rules.default(&mut made);
    if made != *object {
        faults.push(format!("it became {:?}", made.as_map()));
    }
    let mut before = made.clone();
    before.remove(&["status"]);
    let refusals = [
        rules.validate(&made),
        rules.validate_update(&made, &made),
        rules.validate_status_update(&made, &before),
    ];
    faults.extend(refusals.iter().flatten().map(ToString::to_string));
    faults
}

#[test]
fn each_uses_every_field() {
    for (kind, text) in OBJECTS {
        let mut coverage = Coverage::default();
        for object in documents(text) {
            let schema = Schema::builtin(&object.gvk()).expect("a built-in kind");
            coverage.visit(&schema, &object.into_value());
        }
        let missing = coverage.missing(kind);
        assert_eq!(missing, <[String; 0]>::default(), "fields of {kind}");
    }
}

/// Which fields of which types have been seen.
#[derive(Default)]
struct Coverage {
    fields: BTreeMap<String, BTreeSet<String>>,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Coverage {
    fn visit(&mut self, schema: &Schema, value: &Value) {
        match (schema.shape(), value) {
            (Shape::Object { fields, .. }, Value::Object(map)) => {
                // Metadata is the same for every kind.
                if schema.type_name().ends_with("ObjectMeta") {
                    return;
                }
                let type_name = schema.type_name().to_owned();
                let names = fields.iter().map(|field| field.name.to_string());
                self.fields.insert(type_name.clone(), names.collect());
                self.seen
                    .entry(type_name)
                    .or_default()
                    .extend(map.keys().cloned());
                for (name, value) in map {
                    if let Some(child) = schema.child(name) {
                        self.visit(child, value);
                    }
                }
            }
            (Shape::Map { values, .. }, Value::Object(map)) => {
                map.values()
                    .for_each(|value| self.visit(values.get(), value));
            }
            (Shape::List { items, .. }, Value::Array(list)) => {
                list.iter().for_each(|value| self.visit(items.get(), value));
            }
            _ => {}
        }
    }

    fn missing(&self, kind: &str) -> Vec<String> {
        let missing = self.fields.iter().flat_map(|(type_name, fields)| {
            fields
                .difference(&self.seen[type_name])
                .filter(|field| !NEVER_STORED.contains(&(kind, field)))
                .map(move |field| format!("{type_name}.{field}"))
        });
        missing.collect()
    }
}
