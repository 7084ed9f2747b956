//! Paths of the API, and the errors it answers with.

use serde_json::{Value, json};

/// A parsed path; the collection is `api/v1/pods` or `apis/apps/v1/deployments`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) collection: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) subresource: String,
}

impl Path {
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group_version, rest) = match *parts.first()? {
            "api" => parts.split_at_checked(2)?,
            "apis" => parts.split_at_checked(3)?,
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if !matches!(rest, [] | ["status"] | ["finalize"]) =>
            {
                (*namespace, rest)
            }
            _ => ("", rest),
        };
        let resource = rest.first()?;
        let text = |i: usize| rest.get(i).copied().unwrap_or_default().to_owned();
        Some(Self {
            collection: format!("{}/{resource}", group_version.join("/")),
            namespace: namespace.to_owned(),
            name: text(1),
            subresource: text(2),
        })
    }

    pub(super) fn api_version(&self) -> String {
        let parts: Vec<&str> = self.collection.split('/').collect();
        parts[1..parts.len() - 1].join("/")
    }
}

/// A `metav1.Status` of failure.
pub(super) fn failure(code: u16, reason: &str, message: impl Into<String>) -> Value {
    let message: String = message.into();
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}
