//! Pods stay for five minutes on nodes that stop answering.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};
use serde_json::json;

use super::{Admission, Operation, Review};
use crate::ApiError;

/// The taints of nodes in trouble that pods tolerate for a while.
const TAINTS: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];

/// How long, in seconds.
const SECONDS: i64 = 300;

/// Gives each pod a toleration of 300 seconds for nodes that are not ready or unreachable, unless it has its own.
#[derive(Debug, Clone, Copy)]
pub struct DefaultTolerationSeconds;

#[async_trait]
impl Admission for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        let is_write = matches!(review.operation, Operation::Create | Operation::Update);
        if is_write && review.is("", "pods") {
            tolerate(pod);
        }
        Ok(())
    }
}

fn tolerate(pod: &mut Object) {
    let mut tolerations = match pod.get(&["spec", "tolerations"]) {
        Some(Value::Array(tolerations)) => tolerations.clone(),
        _ => Vec::new(),
    };
    let missing: Vec<Value> = TAINTS
        .iter()
        .filter(|taint| !tolerations.iter().any(|each| tolerates(each, taint)))
        .map(|taint| {
            json!({
                "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS,
            })
        })
        .collect();
    if !missing.is_empty() {
        tolerations.extend(missing);
        pod.set(&["spec", "tolerations"], Value::Array(tolerations));
    }
}

/// Whether a toleration covers a `NoExecute` taint: an absent key or effect stands for all.
fn tolerates(toleration: &Value, taint: &str) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    matches!(text("key"), key if key == taint || key.is_empty())
        && matches!(text("effect"), "" | "NoExecute")
}
