//! Places in an object: each field once, whatever lists and maps it repeats in.

use std::{collections::HashSet, sync::Arc};

use k8s_apimachinery::{
    Value,
    scheme::{Schema, schema::Shape},
};

/// Types that occur in many kinds, and the one kind whose object shows them in full.
const SHOWN_BY: [(&str, &str); 3] = [
    ("v1.PodTemplateSpec", "PodTemplate"),
    ("v1.PersistentVolumeClaimSpec", "PersistentVolumeClaim"),
    ("v1.PersistentVolumeSpec", "PersistentVolume"),
];

/// One step down.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A field of an object.
pub(crate) struct Node {
    pub(crate) steps: Vec<Step>,
    /// As faults name it: `spec.ports[0].name`.
    pub(crate) path: String,
    pub(crate) schema: Arc<Schema>,
}

/// Whether another kind's object goes through the fields of this type.
pub(crate) fn is_shown_elsewhere(schema: &Schema, kind: &str) -> bool {
    let mut shown = SHOWN_BY.iter();
    shown.any(|(type_name, by)| *type_name == schema.type_name() && *by != kind)
}

/// All fields below the root that are set, parents first, those in `seen` (by path without indices and keys) left out.
pub(crate) fn walk(
    value: &Value,
    schema: &Arc<Schema>,
    kind: &str,
    seen: &mut HashSet<String>,
) -> Vec<Node> {
    let mut walk = Walk {
        kind,
        seen,
        nodes: Vec::new(),
    };
    walk.value(value, schema, &mut Vec::new(), "", "");
    walk.nodes
}

struct Walk<'a> {
    kind: &'a str,
    seen: &'a mut HashSet<String>,
    nodes: Vec<Node>,
}

impl Walk<'_> {
    fn value(
        &mut self,
        value: &Value,
        schema: &Arc<Schema>,
        steps: &mut Vec<Step>,
        path: &str,
        plain: &str,
    ) {
        let is_free = matches!(schema.shape(), Shape::Any);
        let is_identity = matches!(plain, "apiVersion" | "kind");
        if !plain.is_empty() && !is_identity && self.seen.insert(plain.to_owned()) {
            self.nodes.push(Node {
                steps: steps.clone(),
                path: path.to_owned(),
                schema: schema.clone(),
            });
        }
        if is_free || is_identity || is_shown_elsewhere(schema, self.kind) {
            return;
        }
        match value {
            Value::Object(map) => {
                let is_map = matches!(schema.shape(), Shape::Map { .. });
                for (key, child) in map {
                    let Some(below) = schema.child(key) else {
                        continue;
                    };
                    let dot = if path.is_empty() { "" } else { "." };
                    let (path, plain) = match is_map {
                        true => (format!("{path}[{key}]"), format!("{plain}[]")),
                        false => (format!("{path}{dot}{key}"), format!("{plain}{dot}{key}")),
                    };
                    steps.push(Step::Key(key.clone()));
                    self.value(child, below, steps, &path, &plain);
                    steps.pop();
                }
            }
            Value::Array(list) => {
                for (index, child) in list.iter().enumerate() {
                    let Some(below) = schema.items() else {
                        continue;
                    };
                    steps.push(Step::Index(index));
                    self.value(
                        child,
                        below,
                        steps,
                        &format!("{path}[{index}]"),
                        &format!("{plain}[]"),
                    );
                    steps.pop();
                }
            }
            _ => {}
        }
    }
}

/// The value there.
pub(crate) fn get<'v>(value: &'v Value, steps: &[Step]) -> &'v Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Key(key) => &value[key],
        Step::Index(index) => &value[index],
    })
}

/// The whole with another value there, or without one.
pub(crate) fn with(whole: &Value, steps: &[Step], value: Option<Value>) -> Value {
    let mut changed = whole.clone();
    let (last, parents) = steps.split_last().expect("a field below the root");
    let parent = parents.iter().fold(&mut changed, |value, step| match step {
        Step::Key(key) => &mut value[key],
        Step::Index(index) => &mut value[index],
    });
    match (last, parent, value) {
        (Step::Key(key), parent, Some(value)) => parent[key] = value,
        (Step::Index(index), parent, Some(value)) => parent[index] = value,
        (Step::Key(key), Value::Object(map), None) => drop(map.remove(key)),
        (Step::Index(index), Value::Array(list), None) => drop(list.remove(*index)),
        _ => unreachable!("steps lead through objects and lists"),
    }
    changed
}

/// What differs, by path.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let gone = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(gone) {
                compare(&format!("{path}.{key}"), &before[key], &after[key], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, found);
            }
        }
        _ if before == after => {}
        _ => found.push(format!("{path}: {before} became {after}")),
    }
}
