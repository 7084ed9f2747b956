//! Generated faults: what happens when one field of a maximal object is not as it should be.

use std::collections::HashSet;

use k8s_apimachinery::{Object, Value, api::FieldError, scheme::schema::Shape};
use serde_json::json;

use super::{
    node::{self, Node},
    sample::Sample,
};

/// What is appended to a text to make it too long.
const LENGTH: usize = 300;
/// How many faults of one change are recorded.
const RECORDED: usize = 5;

/// Outcomes of one field's faults; faults with the same outcome stand together.
pub(crate) type Outcomes = Vec<(String, Vec<&'static str>)>;

/// Each field with the outcomes of its faults.
pub(crate) fn outcomes(sample: &Sample) -> Vec<(String, Outcomes)> {
    let schema = sample.schema();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for document in &sample.documents {
        let old = sample.read(document.clone());
        let old = old.expect("a maximal object can be read");
        for node in node::walk(document, &schema, &sample.gvk.kind, &mut seen) {
            let mut outcomes = Outcomes::new();
            for (fault, value) in faults(&node, node::get(document, &node.steps)) {
                if sample.is_review() && fault == "update" {
                    continue;
                }
                let changed = node::with(document, &node.steps, value);
                let is_status = node.path.starts_with("status") && !sample.is_review();
                let is_update = fault == "update" || is_status;
                let outcome = outcome(sample, &old, changed, &node, is_update);
                match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                    Some((_, faults)) => faults.push(fault),
                    None => outcomes.push((outcome, vec![fault])),
                }
            }
            all.push((node.path, outcomes));
        }
    }
    all
}

/// The faults that a field can have, each with the value that stands for it.
fn faults(node: &Node, value: &Value) -> Vec<(&'static str, Option<Value>)> {
    let mut faults = vec![("remove", None)];
    let mut add = |name, value| faults.push((name, Some(value)));
    match value {
        Value::String(text) => {
            if !matches!(node.schema.shape(), Shape::Any) {
                add(
                    "mistype",
                    if matches!(node.schema.shape(), Shape::IntOrString | Shape::Quantity) {
                        json!(true)
                    } else {
                        json!(7)
                    },
                );
            }
            add("negate", format!("-{text}").into());
            add("lengthen", format!("{text}{}", "x".repeat(LENGTH)).into());
            add("update", format!("{text}x").into());
        }
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            add(
                "mistype",
                if matches!(node.schema.shape(), Shape::IntOrString) {
                    json!(true)
                } else {
                    json!("seven")
                },
            );
            add(
                "negate",
                if number == 0 {
                    json!(-1)
                } else {
                    json!(-number)
                },
            );
            add("lengthen", json!(number.max(1) * 10_000_000_000));
            add("update", json!(number + 1));
        }
        Value::Bool(flag) => {
            add("mistype", json!("yes"));
            add("negate", json!(!flag));
            faults.push(("update", Some(json!(!flag))));
        }
        Value::Array(list) => {
            add("mistype", json!("text"));
            if let Some(first) = list.first() {
                add("lengthen", vec![first.clone(); LENGTH].into());
            }
            faults.push(("update", None));
        }
        _ => {
            add("mistype", json!("text"));
            faults.push(("update", None));
        }
    }
    faults.retain(|(fault, _)| *fault != "update" || !node.path.starts_with("status"));
    faults
}

fn outcome(sample: &Sample, old: &Object, changed: Value, node: &Node, is_update: bool) -> String {
    let new = match sample.read(changed) {
        Ok(new) => new,
        Err(error) => return shortened(&error),
    };
    told(&match is_update {
        true => sample.validate_update(&new, old, node.path.starts_with("status")),
        false => sample.validate(&new),
    })
}

fn told(faults: &[FieldError]) -> String {
    if faults.is_empty() {
        return "ok".to_owned();
    }
    let mut lines: Vec<_> = faults
        .iter()
        .take(RECORDED)
        .map(|fault| shortened(&fault.to_string()))
        .collect();
    if faults.len() > RECORDED {
        lines.push(format!("and {} more", faults.len() - RECORDED));
    }
    lines.join("\n    ")
}

/// Long values are told by their beginning.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 400;
    let text = text
        .replace(&"x".repeat(LENGTH), "xxx...")
        .replace('\n', " ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
