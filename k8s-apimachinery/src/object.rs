//! A Kubernetes object as a tree.
//!
//! This is what is parsed, defaulted, merged and stored: nothing that is written passes through a struct, since structs
//! drop what they don't know. Typed views are for reading. The accessors of `metadata` are in `meta.rs`.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
pub use serde_json::{Map, Value};

use crate::scheme::gvk::{Gvk, split_api_version};

/// A Kubernetes object as a tree: always a JSON object.
///
/// ```
/// use k8s_apimachinery::Object;
/// let mut pod = Object::default();
/// pod.set(&["metadata", "name"], "web".into());
/// assert_eq!(pod.name(), "web");
/// ```
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(Map<String, Value>);

/// The value given is a JSON string, number, list, boolean or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("json: cannot unmarshal {found} into a Kubernetes object")]
pub struct NotAnObject {
    /// What it is: `array`, `string`, ...
    pub found: &'static str,
}

impl Object {
    /// Takes a JSON object; anything else is an error.
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            other => Err(NotAnObject {
                found: json_type(&other),
            }),
        }
    }

    /// The tree itself.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// The tree's top level.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The tree's top level, to edit.
    pub fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// `apps/v1`; `""` when absent.
    pub fn api_version(&self) -> &str {
        self.top("apiVersion")
    }

    /// `Deployment`; `""` when absent.
    pub fn kind(&self) -> &str {
        self.top("kind")
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        let (group, version) = split_api_version(self.api_version());
        Gvk::new(group, version, self.kind())
    }

    /// Sets `apiVersion` and `kind`.
    pub fn set_gvk(&mut self, gvk: &Gvk) {
        self.0.insert("apiVersion".into(), gvk.api_version().into());
        self.0.insert("kind".into(), gvk.kind.as_str().into());
    }

    /// What is at the path, which goes through JSON objects only.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.0.get(*first)?, |value, name| value.get(name))
    }

    /// The string at the path.
    pub fn str(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// Puts a value at the path. Parents that are missing, or are no JSON objects, become JSON objects.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, parents)) = path.split_last() else {
            return;
        };
        let parent = parents
            .iter()
            .fold(&mut self.0, |map, name| child_map(map, name));
        parent.insert((*last).to_owned(), value);
    }

    /// Takes what is at the path away. Parents stay, though they be empty.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        let parent = parents
            .iter()
            .try_fold(&mut self.0, |map, name| map.get_mut(*name)?.as_object_mut())?;
        parent.remove(*last)
    }

    /// A typed view to read from, such as a `k8s_openapi` struct. Not for writing back: structs drop what they don't know.
    pub fn view<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0)
    }

    fn top(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl From<Map<String, Value>> for Object {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.into_value()
    }
}

impl TryFrom<Value> for Object {
    type Error = NotAnObject;

    fn try_from(value: Value) -> Result<Self, NotAnObject> {
        Self::from_value(value)
    }
}

impl AsRef<Map<String, Value>> for Object {
    fn as_ref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl AsMut<Map<String, Value>> for Object {
    fn as_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }
}

/// The child of that name, made into a JSON object if it isn't one.
pub(crate) fn child_map<'a>(
    map: &'a mut Map<String, Value>,
    name: &str,
) -> &'a mut Map<String, Value> {
    let child = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    child
        .as_object_mut()
        .expect("a child that was just made a JSON object is one")
}

/// The name that Go's decoder gives to the JSON type of a value.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test]
    fn only_json_objects_are_objects() {
        for (value, found) in [
            (json!([]), "array"),
            (json!("x"), "string"),
            (json!(null), "null"),
        ] {
            assert_eq!(Object::from_value(value), Err(NotAnObject { found }));
        }
    }

    #[test]
    fn set_makes_parents_and_remove_leaves_them() {
        let mut it = object(json!({"spec": "was no object"}));
        it.set(&["spec", "a", "b"], json!(1));
        assert_eq!(it, object(json!({"spec": {"a": {"b": 1}}})));
        assert_eq!(it.remove(&["spec", "a", "b"]), Some(json!(1)));
        assert_eq!(it.remove(&["spec", "x", "b"]), None);
        assert_eq!(it, object(json!({"spec": {"a": {}}})));
    }

    #[test]
    fn gvk_is_read_and_written() {
        let mut it = Object::default();
        assert_eq!(it.gvk(), Gvk::default());
        it.set_gvk(&Gvk::new("apps", "v1", "Deployment"));
        assert_eq!((it.api_version(), it.kind()), ("apps/v1", "Deployment"));
        assert_eq!(it.gvk(), Gvk::new("apps", "v1", "Deployment"));
    }

    #[test]
    fn views_are_typed() {
        let pod = object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}));
        let view: k8s_openapi::api::core::v1::Pod = pod.view().unwrap();
        assert_eq!(view.metadata.name.as_deref(), Some("a"));
    }
}
