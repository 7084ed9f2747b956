//! The schemas of a document: `k8s-openapi`'s texts, brought into Kubernetes' dialect, with our structural facts.

use std::collections::{BTreeSet, HashSet};

use k8s_apimachinery::scheme::{Gvk, Schema};
use k8s_openapi::schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Dialect, kinds, structure};
use crate::registry::KindRow;

/// Where `k8s-openapi`'s generator puts its references.
pub(super) const GENERATED: &str = "#/components/schemas/";

/// Every kind of these rows, and all that they are made of, by name.
pub(super) fn schemas(dialect: Dialect, groups: &[(&str, &[KindRow])]) -> Map<String, Value> {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let mut roots: Vec<(String, Gvk)> = Vec::new();
    for gvk in gvks(groups) {
        if let Some(describe) = kinds::describe(&gvk) {
            let reference = describe(&mut generator).to_value();
            roots.push((name_of(&reference), gvk));
        }
    }
    let mut schemas = generator.take_definitions(false);
    let mut done = HashSet::new();
    for (name, gvk) in &roots {
        if let Some(structure) = Schema::builtin(gvk) {
            structure::annotate(&mut schemas, name, &structure, &mut done);
        }
    }
    for schema in schemas.values_mut() {
        translate(dialect, schema);
    }
    for (name, gvk) in roots {
        let Some(schema) = schemas.get_mut(&name).and_then(Value::as_object_mut) else {
            continue;
        };
        let kind = json!({ "group": gvk.group, "version": gvk.version, "kind": gvk.kind });
        schema.insert("x-kubernetes-group-version-kind".to_owned(), json!([kind]));
    }
    schemas
}

/// A reference to the schema of a kind, if it is a built-in one.
pub(super) fn reference(dialect: Dialect, gvk: &Gvk) -> Option<Value> {
    let mut generator = SchemaSettings::openapi3().into_generator();
    let mut reference = kinds::describe(gvk)?(&mut generator).to_value();
    translate(dialect, &mut reference);
    Some(reference)
}

/// The kinds of the rows and of their subresources, each once.
fn gvks(groups: &[(&str, &[KindRow])]) -> BTreeSet<Gvk> {
    let mut gvks = BTreeSet::new();
    for (version, rows) in groups {
        for row in rows
            .iter()
            .filter(|row| row.versions.iter().any(|each| each == version))
        {
            gvks.insert(Gvk::new(&row.group, *version, &row.kind));
            gvks.extend(row.subresources.iter().filter_map(|each| each.kind.clone()));
        }
    }
    gvks
}

fn name_of(reference: &Value) -> String {
    let reference = reference["$ref"].as_str().unwrap_or_default();
    reference.trim_start_matches(GENERATED).to_owned()
}

/// Brings a generated schema, and all within, into a dialect.
fn translate(dialect: Dialect, schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| translate(dialect, item)),
        Value::Object(map) => {
            map.values_mut().for_each(|value| translate(dialect, value));
            translate_reference(dialect, map);
            translate_int_or_string(dialect, map);
        }
        _ => {}
    }
}

/// In 3.0 nothing may stand beside a reference, so texts wrap it; 2.0 has its schemas elsewhere.
fn translate_reference(dialect: Dialect, map: &mut Map<String, Value>) {
    let Some(Value::String(reference)) = map.get("$ref") else {
        return;
    };
    let reference = reference.clone();
    match dialect {
        Dialect::V2 => {
            let name = reference.trim_start_matches(GENERATED);
            map.insert("$ref".to_owned(), format!("#/definitions/{name}").into());
        }
        Dialect::V3 if map.len() > 1 => {
            map.remove("$ref");
            map.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
        }
        Dialect::V3 => {}
    }
}

/// Numbers that may be texts have a format of their own.
fn translate_int_or_string(dialect: Dialect, map: &mut Map<String, Value>) {
    if map.remove("x-kubernetes-int-or-string").is_none() {
        return;
    }
    map.insert("format".to_owned(), "int-or-string".into());
    match dialect {
        Dialect::V2 => {
            map.insert("type".to_owned(), "string".into());
        }
        Dialect::V3 => {
            map.remove("type");
            map.insert(
                "oneOf".to_owned(),
                json!([{ "type": "integer" }, { "type": "string" }]),
            );
        }
    }
}
