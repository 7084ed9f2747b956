//! Which fields of a kind's schema its maximal objects leave unset.

use std::{collections::HashSet, sync::Arc};

use k8s_apimachinery::scheme::{Schema, schema::Shape};

use super::{node, sample::Sample};

/// Paths without indices and keys, in order. Metadata is the same for all kinds and shown by none in full; a type inside
/// itself is shown once.
pub(crate) fn unset(sample: &Sample) -> Vec<String> {
    let schema = sample.schema();
    let mut set = HashSet::new();
    for document in &sample.documents {
        node::walk(document, &schema, &sample.gvk.kind, &mut set);
    }
    let mut unset = Vec::new();
    let mut walk = Walk {
        kind: &sample.gvk.kind,
        set: &set,
        types: Vec::new(),
    };
    walk.schema(&schema, "", &mut unset);
    unset
}

struct Walk<'a> {
    kind: &'a str,
    set: &'a HashSet<String>,
    /// The types that the walk is inside of.
    types: Vec<String>,
}

impl Walk<'_> {
    fn schema(&mut self, schema: &Arc<Schema>, path: &str, unset: &mut Vec<String>) {
        let is_inside_itself =
            !schema.fields().is_empty() && self.types.iter().any(|t| t == schema.type_name());
        if is_inside_itself || node::is_shown_elsewhere(schema, self.kind) {
            return;
        }
        self.types.push(schema.type_name().to_owned());
        match schema.shape() {
            Shape::Object { fields, .. } => {
                for field in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    let below = format!("{path}{dot}{}", field.name);
                    let is_identity = matches!(&*field.name, "apiVersion" | "kind");
                    if &*field.name == "metadata" || path.is_empty() && is_identity {
                        continue;
                    }
                    match self.set.contains(&below) {
                        true => self.schema(field.schema(), &below, unset),
                        false => unset.push(below),
                    }
                }
            }
            Shape::Map { values, .. } => self.schema(values.get(), &format!("{path}[]"), unset),
            Shape::List { items, .. } => self.schema(items.get(), &format!("{path}[]"), unset),
            _ => {}
        }
        self.types.pop();
    }
}
