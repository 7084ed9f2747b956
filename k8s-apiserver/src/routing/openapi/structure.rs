//! Structural facts as OpenAPI extensions: how lists and maps merge, by server-side apply and by strategic patches.

use std::collections::HashSet;

use k8s_apimachinery::scheme::{
    Schema,
    schema::{Field, ListType, Shape},
};
use serde_json::{Map, Value, json};

use super::schema::GENERATED;

/// Puts the facts of a kind's schema onto its definition and onto all that it refers to. Definitions that are done
/// already are skipped; `done` remembers them.
pub(super) fn annotate(
    definitions: &mut Map<String, Value>,
    name: &str,
    schema: &Schema,
    done: &mut HashSet<String>,
) {
    if !done.insert(name.to_owned()) {
        return;
    }
    let Some(mut definition) = definitions.remove(name) else {
        return;
    };
    let referred = annotate_node(&mut definition, schema);
    definitions.insert(name.to_owned(), definition);
    for (name, schema) in referred {
        annotate(definitions, &name, schema, done);
    }
}

/// Annotates one node and what is inside it; answers with the definitions that it refers to.
fn annotate_node<'a>(node: &mut Value, schema: &'a Schema) -> Vec<(String, &'a Schema)> {
    let mut referred = Vec::new();
    if let Some(reference) = node.get("$ref").and_then(Value::as_str) {
        referred.push((reference.trim_start_matches(GENERATED).to_owned(), schema));
        return referred;
    }
    match schema.shape() {
        Shape::Object {
            fields, is_atomic, ..
        } => {
            if *is_atomic {
                node["x-kubernetes-map-type"] = "atomic".into();
            }
            for field in fields {
                let Some(property) = node.pointer_mut(&format!("/properties/{}", field.name))
                else {
                    continue;
                };
                referred.extend(annotate_node(property, field.schema()));
                annotate_field(property, field);
            }
            require(node, fields);
        }
        Shape::Map { values, is_atomic } => {
            if *is_atomic {
                node["x-kubernetes-map-type"] = "atomic".into();
            }
            if let Some(inner) = node.get_mut("additionalProperties") {
                referred.extend(annotate_node(inner, values.get()));
            }
        }
        Shape::List { items, list_type } => {
            annotate_list(node, list_type);
            if let Some(inner) = node.get_mut("items") {
                referred.extend(annotate_node(inner, items.get()));
            }
        }
        _ => {}
    }
    referred
}

fn annotate_list(node: &mut Value, list_type: &ListType) {
    match list_type {
        ListType::Atomic => node["x-kubernetes-list-type"] = "atomic".into(),
        ListType::Set => node["x-kubernetes-list-type"] = "set".into(),
        ListType::Map(keys) => {
            node["x-kubernetes-list-type"] = "map".into();
            node["x-kubernetes-list-map-keys"] = json!(keys);
        }
    }
}

/// How a strategic patch treats the field.
fn annotate_field(property: &mut Value, field: &Field) {
    let patch = &field.patch;
    let strategies: Vec<&str> = [
        (patch.merges, "merge"),
        (patch.replaces, "replace"),
        (patch.retains_keys, "retainKeys"),
    ]
    .into_iter()
    .filter_map(|(applies, name)| applies.then_some(name))
    .collect();
    if !strategies.is_empty() {
        property["x-kubernetes-patch-strategy"] = strategies.join(",").into();
    }
    if let Some(key) = &patch.merge_key {
        property["x-kubernetes-patch-merge-key"] = (**key).into();
    }
}

/// The generator requires what its own types can't leave out; Kubernetes requires less.
fn require(node: &mut Value, fields: &[Field]) {
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| &*field.name)
        .collect();
    match node.as_object_mut() {
        Some(node) if required.is_empty() => drop(node.remove("required")),
        Some(node) => drop(node.insert("required".to_owned(), json!(required))),
        None => {}
    }
}
