//! Bytes to trees and back: JSON, and YAML as JSON's other notation.
//!
//! Reading is bounded: nesting to 127 levels of JSON and 56 of YAML, and the work that YAML's aliases can cause. Keys that appear twice are
//! reported; the last value stands, as in Kubernetes. What fits which kind is not looked at here.

use std::{cell::RefCell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, map::Entry};
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};

use super::path::Path;

/// Deepest nesting of lists and objects in a tree: as deep as JSON is read, so that what has been written can be read again.
pub(crate) const MAX_DEPTH: usize = 127;
/// Deepest nesting of YAML that is read. A level takes a lot of stack, and a thread has two megabytes.
const MAX_YAML_DEPTH: usize = 56;
/// Most events that YAML aliases may be expanded to.
const MAX_REPLAYED: usize = 100_000;

/// A key that appears more than once in one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Where: `spec.replicas`.
    pub path: String,
    /// Its last step: `replicas`.
    pub key: String,
    /// The line of the second appearance, from 1; known for YAML only.
    pub line: Option<u64>,
}

/// The bytes are not what they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Malformed JSON, or nested too deeply.
    #[error("json parse error: {0}")]
    Json(String),
    /// Malformed YAML, nested too deeply, or with too many aliases.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Yaml(String),
}

/// Reads one JSON value.
///
/// ```
/// let (value, duplicates) = k8s_apimachinery::scheme::codec::decode_json(br#"{"a": 1, "a": 2}"#)?;
/// assert_eq!(value["a"], 2);
/// assert_eq!(duplicates[0].path, "a");
/// # Ok::<(), k8s_apimachinery::scheme::codec::DecodeError>(())
/// ```
pub fn decode_json(bytes: &[u8]) -> Result<(Value, Vec<Duplicate>), DecodeError> {
    let duplicates = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Tree::<String>::new(&duplicates)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| DecodeError::Json(error.to_string()))?;
    Ok((value, duplicates.into_inner()))
}

/// Reads one YAML document, with the meanings that Kubernetes gives to `yes`, `on` and `0644`.
pub fn decode_yaml(bytes: &[u8]) -> Result<(Value, Vec<Duplicate>), DecodeError> {
    let duplicates = RefCell::default();
    let mut options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    options.alias_limits.max_total_replayed_events = MAX_REPLAYED;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_YAML_DEPTH;
        // Without aliases there are no more nodes than bytes, and callers bound those.
        budget.max_nodes = budget.max_nodes.max(bytes.len());
        budget.max_events = budget.max_events.max(2 * bytes.len());
    }
    let value =
        serde_saphyr::with_deserializer_from_slice_with_options(bytes, options, |deserializer| {
            Tree::<Spanned<String>>::new(&duplicates).deserialize(deserializer)
        })
        .map_err(|error| DecodeError::Yaml(error.to_string()))?;
    Ok((value, duplicates.into_inner()))
}

/// Writes JSON.
pub fn encode_json(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("a tree has text keys and finite numbers, so it can be written")
}

/// Writes YAML.
pub fn encode_yaml(value: &Value) -> String {
    serde_saphyr::to_string(value)
        .expect("a tree has text keys and finite numbers, so it can be written")
}

/// How deeply a value nests.
pub(crate) fn height(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(height).max().unwrap_or_default(),
        Value::Object(map) => 1 + map.values().map(height).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A key as the format gives it.
trait Key: for<'de> Deserialize<'de> {
    fn split(self) -> (String, Option<u64>);
}

impl Key for String {
    fn split(self) -> (String, Option<u64>) {
        (self, None)
    }
}

impl Key for Spanned<String> {
    fn split(self) -> (String, Option<u64>) {
        (self.value, Some(self.referenced.line()))
    }
}

/// Builds the tree at a place, noting duplicate keys.
struct Tree<'a, K> {
    path: Path<'a>,
    duplicates: &'a RefCell<Vec<Duplicate>>,
    key: std::marker::PhantomData<K>,
}

impl<'a, K> Tree<'a, K> {
    fn new(duplicates: &'a RefCell<Vec<Duplicate>>) -> Self {
        Tree {
            path: Path::ROOT,
            duplicates,
            key: std::marker::PhantomData,
        }
    }

    fn at<'b>(&'b self, path: Path<'b>) -> Tree<'b, K> {
        Tree {
            path,
            duplicates: self.duplicates,
            key: std::marker::PhantomData,
        }
    }

    fn report(&self, key: &str, line: Option<u64>) {
        let path = self.path.name(key).to_string();
        self.duplicates.borrow_mut().push(Duplicate {
            path,
            key: key.to_owned(),
            line,
        });
    }
}

impl<'de, K: Key> DeserializeSeed<'de> for Tree<'_, K> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, K: Key> Visitor<'de> for Tree<'_, K> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value)
            .ok_or_else(|| E::custom(format!("unsupported value: {value}")))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.at(self.path.index(list.len())))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<K>()? {
            let (name, line) = key.split();
            let value = entries.next_value_seed(self.at(self.path.name(&name)))?;
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    self.report(place.key(), line);
                    place.insert(value);
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
