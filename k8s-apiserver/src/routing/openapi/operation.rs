//! The paths of a document: which operations there are, on which kind, with which parameters.

use k8s_apimachinery::scheme::gvk::Gvk;
use serde_json::{Map, Value, json};

use super::{Dialect, schema};
use crate::registry::{KindRow, SubresourceRow};

/// Parameters of operations that change something: what clients look for is that they are there.
const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
/// Parameters of patches.
const PATCH: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];
/// Parameters of deletes.
const DELETE: [&str; 4] = [
    "dryRun",
    "gracePeriodSeconds",
    "orphanDependents",
    "propagationPolicy",
];
/// Parameters of lists.
const LIST: [&str; 10] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

/// `api/v1`, `apis/apps/v1`.
pub(super) fn root(group: &str, version: &str) -> String {
    match group {
        "" => format!("api/{version}"),
        group => format!("apis/{group}/{version}"),
    }
}

/// The paths of all resources of one group and version.
pub(super) fn paths(dialect: Dialect, version: &str, rows: &[KindRow]) -> Map<String, Value> {
    let mut paths = Map::new();
    for row in rows
        .iter()
        .filter(|row| row.versions.iter().any(|each| each == version))
    {
        let root = root(&row.group, version);
        let plural = &row.plural;
        let collection = match row.namespaced {
            true => format!("/{root}/namespaces/{{namespace}}/{plural}"),
            false => format!("/{root}/{plural}"),
        };
        let gvk = Gvk::new(&row.group, version, &row.kind);
        let path = Path {
            dialect,
            row,
            gvk: &gvk,
        };
        if row.namespaced && row.serves("list") {
            let item = path.item(&[("get", "list", &LIST)], &[]);
            paths.insert(format!("/{root}/{plural}"), item);
        }
        let operations = path.served(&[
            ("get", "list", &LIST),
            ("post", "create", &WRITE),
            ("delete", "deletecollection", &DELETE),
        ]);
        let outer: &[&str] = if row.namespaced { &["namespace"] } else { &[] };
        paths.insert(collection.clone(), path.item(&operations, outer));
        let operations = path.served(&[
            ("get", "get", &[]),
            ("put", "update", &WRITE),
            ("patch", "patch", &PATCH),
            ("delete", "delete", &DELETE),
        ]);
        let inner: &[&str] = if row.namespaced {
            &["name", "namespace"]
        } else {
            &["name"]
        };
        if !operations.is_empty() {
            paths.insert(
                format!("{collection}/{{name}}"),
                path.item(&operations, inner),
            );
        }
        for subresource in &row.subresources {
            let item = path.subresource(subresource, inner);
            paths.insert(format!("{collection}/{{name}}/{}", subresource.name), item);
        }
    }
    paths
}

/// An operation: HTTP method, verb, parameters.
type Operation = (&'static str, &'static str, &'static [&'static str]);

struct Path<'a> {
    dialect: Dialect,
    row: &'a KindRow,
    gvk: &'a Gvk,
}

impl Path<'_> {
    /// The operations whose verbs are served.
    fn served(&self, operations: &[Operation]) -> Vec<Operation> {
        let served = operations
            .iter()
            .filter(|(_, verb, _)| self.row.serves(verb));
        served.copied().collect()
    }

    fn subresource(&self, subresource: &SubresourceRow, in_path: &[&str]) -> Value {
        let all: [Operation; 4] = [
            ("get", "get", &[]),
            ("put", "update", &WRITE),
            ("patch", "patch", &PATCH),
            ("post", "create", &WRITE),
        ];
        let operations: Vec<Operation> = all
            .into_iter()
            .filter(|(_, verb, _)| subresource.serves_verb(verb))
            .collect();
        match &subresource.kind {
            Some(gvk) => Path { gvk, ..*self }.item(&operations, in_path),
            None => self.item(&operations, in_path),
        }
    }

    /// A path with its operations.
    fn item(&self, operations: &[Operation], in_path: &[&str]) -> Value {
        let mut item = Map::new();
        for (method, verb, parameters) in operations {
            item.insert((*method).to_owned(), self.operation(verb, parameters));
        }
        let parameters = in_path
            .iter()
            .map(|name| self.parameter(name, "path"))
            .collect();
        item.insert("parameters".to_owned(), Value::Array(parameters));
        Value::Object(item)
    }

    fn operation(&self, verb: &str, parameters: &[&str]) -> Value {
        let gvk = self.gvk;
        let action = match verb {
            "create" => "post",
            "update" => "put",
            other => other,
        };
        let mut parameters: Vec<Value> = parameters
            .iter()
            .map(|name| self.parameter(name, "query"))
            .collect();
        let reference = schema::reference(self.dialect, gvk);
        let mut operation = json!({
            "description": format!("{verb} {}", gvk.kind),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {
                "group": gvk.group, "version": gvk.version, "kind": gvk.kind,
            },
        });
        let takes_body = matches!(verb, "create" | "update" | "patch");
        match (self.dialect, &reference) {
            (Dialect::V2, reference) => {
                if takes_body {
                    let schema = reference
                        .clone()
                        .unwrap_or_else(|| json!({ "type": "object" }));
                    parameters.push(json!({
                        "name": "body", "in": "body", "required": true, "schema": schema,
                    }));
                }
                let schema = reference
                    .clone()
                    .unwrap_or_else(|| json!({ "type": "object" }));
                operation["responses"] =
                    json!({ "200": { "description": "OK", "schema": schema } });
            }
            (Dialect::V3, reference) => {
                let schema = reference
                    .clone()
                    .unwrap_or_else(|| json!({ "type": "object" }));
                let content = json!({ "application/json": { "schema": schema } });
                if takes_body {
                    operation["requestBody"] = json!({ "content": content, "required": true });
                }
                operation["responses"] =
                    json!({ "200": { "description": "OK", "content": content } });
            }
        }
        operation["parameters"] = Value::Array(parameters);
        operation
    }

    fn parameter(&self, name: &str, place: &str) -> Value {
        let kind = match name {
            "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
            "watch"
            | "allowWatchBookmarks"
            | "sendInitialEvents"
            | "force"
            | "orphanDependents" => "boolean",
            _ => "string",
        };
        let mut parameter = json!({ "name": name, "in": place });
        match self.dialect {
            Dialect::V2 => {
                parameter["type"] = kind.into();
                parameter["uniqueItems"] = true.into();
            }
            Dialect::V3 => parameter["schema"] = json!({ "type": kind, "uniqueItems": true }),
        }
        if place == "path" {
            parameter["required"] = true.into();
        }
        parameter
    }
}
