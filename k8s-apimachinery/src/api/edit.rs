//! Defaulting as edits on the tree.

use serde_json::{Map, Value};

/// Edits that fill in what was left out, and leave alone what was said.
pub trait Edit {
    /// Sets `key` unless it holds something. Empty texts count as nothing: for the fields that are
    /// filled, Kubernetes can't tell them from absent ones.
    fn fill(&mut self, key: &str, value: impl Into<Value>);

    /// Like [`Edit::fill`], where zero counts as nothing as well.
    fn fill_zero(&mut self, key: &str, value: i64);

    /// Sets `key` to an empty object unless it holds one, and returns it.
    fn ensure(&mut self, key: &str) -> &mut Map<String, Value>;

    /// The object under `key`.
    fn object(&mut self, key: &str) -> Option<&mut Map<String, Value>>;

    /// The objects of the list under `key`.
    fn objects(&mut self, key: &str) -> impl Iterator<Item = &mut Map<String, Value>>;

    /// The text under `key`; empty when absent.
    fn text(&self, key: &str) -> &str;
}

impl Edit for Map<String, Value> {
    fn fill(&mut self, key: &str, value: impl Into<Value>) {
        match self.get_mut(key) {
            None => {
                self.insert(key.to_owned(), value.into());
            }
            Some(held) if held.is_null() || held.as_str() == Some("") => *held = value.into(),
            Some(_) => {}
        }
    }

    fn fill_zero(&mut self, key: &str, value: i64) {
        match self.get_mut(key) {
            Some(held) if held.as_i64() == Some(0) => *held = value.into(),
            _ => self.fill(key, value),
        }
    }

    fn ensure(&mut self, key: &str) -> &mut Map<String, Value> {
        if !self.get(key).is_some_and(Value::is_object) {
            self.insert(key.to_owned(), Value::Object(Map::new()));
        }
        self.object(key).expect("just made an object")
    }

    fn object(&mut self, key: &str) -> Option<&mut Map<String, Value>> {
        self.get_mut(key)?.as_object_mut()
    }

    fn objects(&mut self, key: &str) -> impl Iterator<Item = &mut Map<String, Value>> {
        let list = self.get_mut(key).and_then(Value::as_array_mut);
        list.into_iter().flatten().filter_map(Value::as_object_mut)
    }

    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}
