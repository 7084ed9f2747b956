//! A pod, or the template of one, as checks look at it.

use serde_json::{Map, Value};

/// Metadata and spec of a pod, read only.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    metadata: &'a Value,
    spec: &'a Value,
}

/// A container of any sort.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container<'a>(&'a Value);

impl<'a> Subject<'a> {
    /// The subject in an object with `metadata` and `spec`: a pod, or a template.
    pub fn new(object: &'a Map<String, Value>) -> Self {
        const ABSENT: &Value = &Value::Null;
        let part = |name| object.get(name).unwrap_or(ABSENT);
        Subject {
            metadata: part("metadata"),
            spec: part("spec"),
        }
    }

    /// The runtime class that the pod names.
    pub fn runtime_class(&self) -> Option<&'a str> {
        self.spec["runtimeClassName"].as_str()
    }

    pub(super) fn spec(&self) -> &'a Value {
        self.spec
    }

    /// The security context of the pod as a whole.
    pub(super) fn security(&self) -> &'a Value {
        &self.spec["securityContext"]
    }

    /// Init containers, containers, ephemeral containers.
    pub(super) fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let spec = self.spec;
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let lists = lists.into_iter().filter_map(|list| spec[list].as_array());
        lists.flatten().map(Container)
    }

    /// The names of those containers.
    pub(super) fn containers_that(
        &self,
        fail: impl Fn(&Container<'a>) -> bool,
    ) -> super::violation::Names<'a> {
        let failing = self.containers().filter(|container| fail(container));
        failing.map(|container| container.name()).collect()
    }

    pub(super) fn volumes(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.spec["volumes"].as_array().into_iter().flatten()
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let annotations = self.metadata["annotations"].as_object();
        let pairs = annotations.into_iter().flatten();
        pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.metadata["annotations"][key].as_str()
    }

    /// Whether it says that it runs on Windows, where some of what is checked doesn't exist.
    pub(super) fn is_for_windows(&self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    /// Whether its users are nobody on the host (KEP-127), so that root inside is no root outside.
    pub(super) fn has_own_users(&self) -> bool {
        self.spec["hostUsers"] == false
    }
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.0["name"].as_str().unwrap_or_default()
    }

    pub(super) fn get(&self, field: &str) -> &'a Value {
        &self.0[field]
    }

    pub(super) fn security(&self) -> &'a Value {
        self.get("securityContext")
    }
}

/// The texts of a list.
pub(super) fn texts<'a>(list: &'a Value) -> impl Iterator<Item = &'a str> + use<'a> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str)
}

/// A text; empty when absent.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
