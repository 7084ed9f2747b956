//! `metadata`, which all kinds share: how to read it from the tree.
//!
//! Absent fields read as `""`, `0` or nothing, as the zero values of Kubernetes' own types do.

use crate::object::{Map, Object, Value, child_map};

/// A read view of one of `metadata.ownerReferences`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerReference<'a> {
    /// Group and version of the owner: `apps/v1`.
    pub api_version: &'a str,
    /// Kind of the owner.
    pub kind: &'a str,
    /// Name of the owner, in the same namespace or cluster-wide.
    pub name: &'a str,
    /// Uid of the owner.
    pub uid: &'a str,
    /// Whether the owner is the managing controller: at most one is.
    pub is_controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    pub blocks_owner_deletion: bool,
}

impl<'a> OwnerReference<'a> {
    /// Reads one item of `metadata.ownerReferences`.
    pub fn of(value: &'a Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or_default();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
            is_controller: flag("controller"),
            blocks_owner_deletion: flag("blockOwnerDeletion"),
        }
    }
}

impl Object {
    /// `metadata`, when present and a JSON object.
    pub fn metadata(&self) -> Option<&Map<String, Value>> {
        self.as_map().get("metadata")?.as_object()
    }

    /// `metadata`, made when missing.
    pub fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        child_map(self.as_map_mut(), "metadata")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.meta_str("name")
    }

    /// `metadata.generateName`: the prefix of a name that the server is to choose.
    pub fn generate_name(&self) -> &str {
        self.meta_str("generateName")
    }

    /// `metadata.namespace`; `""` for cluster-wide objects.
    pub fn namespace(&self) -> &str {
        self.meta_str("namespace")
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.meta_str("uid")
    }

    /// `metadata.resourceVersion`: opaque to clients.
    pub fn resource_version(&self) -> &str {
        self.meta_str("resourceVersion")
    }

    /// `metadata.generation`: counts changes of the desired state.
    pub fn generation(&self) -> i64 {
        self.meta("generation")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    /// `metadata.creationTimestamp`, RFC 3339.
    pub fn creation_timestamp(&self) -> Option<&str> {
        self.meta("creationTimestamp")?.as_str()
    }

    /// `metadata.deletionTimestamp`, RFC 3339: the object is being deleted, and is gone when its finalizers are.
    pub fn deletion_timestamp(&self) -> Option<&str> {
        self.meta("deletionTimestamp")?.as_str()
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta("labels")?.get(key)?.as_str()
    }

    /// All labels.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts("labels")
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.meta("annotations")?.get(key)?.as_str()
    }

    /// All annotations.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts("annotations")
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.meta_list("finalizers")
            .iter()
            .filter_map(Value::as_str)
    }

    /// `metadata.ownerReferences`, as they are.
    pub fn owner_references(&self) -> &[Value] {
        self.meta_list("ownerReferences")
    }

    /// `metadata.ownerReferences`, to read.
    pub fn owners(&self) -> impl Iterator<Item = OwnerReference<'_>> {
        self.owner_references().iter().map(OwnerReference::of)
    }

    /// The owner that manages this object, if any.
    pub fn controller(&self) -> Option<OwnerReference<'_>> {
        self.owners().find(|owner| owner.is_controller)
    }

    fn meta(&self, name: &str) -> Option<&Value> {
        self.metadata()?.get(name)
    }

    fn meta_str(&self, name: &str) -> &str {
        self.meta(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn meta_list(&self, name: &str) -> &[Value] {
        self.meta(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let entries = self
            .meta(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_reads_as_zero_values_when_absent() {
        let it = Object::default();
        assert_eq!(
            (it.name(), it.namespace(), it.uid(), it.generation()),
            ("", "", "", 0)
        );
        assert_eq!(it.deletion_timestamp(), None);
        assert_eq!(
            it.labels().count() + it.finalizers().count() + it.owners().count(),
            0
        );
    }

    #[test]
    fn metadata_is_read_from_the_tree() {
        let it = Object::from_value(json!({"metadata": {
            "name": "a", "generation": 3, "labels": {"app": "web"}, "finalizers": ["x/y"],
            "ownerReferences": [
                {"kind": "A", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "2", "controller": true},
            ],
        }}))
        .unwrap();
        assert_eq!(
            (it.name(), it.generation(), it.label("app")),
            ("a", 3, Some("web"))
        );
        assert_eq!(it.labels().collect::<Vec<_>>(), [("app", "web")]);
        assert_eq!(it.finalizers().collect::<Vec<_>>(), ["x/y"]);
        let controller = it.controller().unwrap();
        assert_eq!((controller.kind, controller.uid), ("ReplicaSet", "2"));
        assert!(!controller.blocks_owner_deletion);
    }

    #[test]
    fn metadata_mut_makes_metadata() {
        let mut it = Object::default();
        it.metadata_mut().insert("name".into(), "a".into());
        assert_eq!(it.name(), "a");
    }
}
