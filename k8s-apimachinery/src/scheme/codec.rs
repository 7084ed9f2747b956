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
mod tests {
    use serde_json::json;

    use super::*;

    fn json(text: &str) -> (Value, Vec<Duplicate>) {
        decode_json(text.as_bytes()).unwrap()
    }

    fn yaml(text: &str) -> (Value, Vec<Duplicate>) {
        decode_yaml(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn duplicate_keys_are_reported_with_their_place_and_the_last_stands() {
        let (value, duplicates) =
            json(r#"{"spec": {"a": [{"b": 1, "b": 2}], "a": [{"c": 1, "c": 3}]}}"#);
        assert_eq!(value, json!({"spec": {"a": [{"c": 3}]}}));
        let paths: Vec<_> = duplicates
            .iter()
            .map(|duplicate| duplicate.path.as_str())
            .collect();
        assert_eq!(paths, ["spec.a[0].b", "spec.a[0].c", "spec.a"]);

        let (value, duplicates) = yaml("spec:\n  a: 1\n  a: 2\n");
        assert_eq!(value, json!({"spec": {"a": 2}}));
        assert_eq!(
            duplicates,
            [Duplicate {
                path: "spec.a".into(),
                key: "a".into(),
                line: Some(3)
            }]
        );
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["", "{", "{\"a\": }", "{} {}", "nonsense", "{\"a\": 1e999}"] {
            assert!(decode_json(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["a: [", "a: b: c"] {
            assert!(decode_yaml(text.as_bytes()).is_err(), "{text}");
        }
        assert!(decode_json(b"\"\xff\"").is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(decode_json(nested(100).as_bytes()).is_ok());
        assert!(decode_json(nested(100_000).as_bytes()).is_err());
        assert!(decode_yaml(nested(50).as_bytes()).is_ok());
        assert!(decode_yaml(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb += &format!("a{i}: &a{i} [{aliases}]\n");
        }
        assert!(decode_yaml(bomb.as_bytes()).is_err());
        assert_eq!(
            yaml("a: &x {k: 1}\nb: *x\n").0,
            json!({"a": {"k": 1}, "b": {"k": 1}})
        );
    }

    #[test]
    fn yaml_scalars_mean_what_they_mean_to_kubernetes() {
        let rows = [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("0644", json!(420)),
            ("0x10", json!(16)),
            ("1.5", json!(1.5)),
            ("~", json!(null)),
            ("", json!(null)),
            ("'yes'", json!("yes")),
            ("\"1\"", json!("1")),
            ("1Gi", json!("1Gi")),
            ("2026-01-02T03:04:05Z", json!("2026-01-02T03:04:05Z")),
            ("-7", json!(-7)),
        ];
        for (text, expected) in rows {
            assert_eq!(
                yaml(&format!("a: {text}")).0,
                json!({"a": expected}),
                "{text}"
            );
        }
        assert_eq!(yaml("1: a\ntrue: b\n").0, json!({"1": "a", "true": "b"}));
        assert_eq!(yaml("a: |\n  x\n  y\n").0, json!({"a": "x\ny\n"}));
    }

    #[test]
    fn yaml_round_trips() {
        let value = json!({"a": ["yes", "1", "", null, 1, 1.5, true, {"b": "x\ny"}], "c": {}});
        assert_eq!(yaml(&encode_yaml(&value)).0, value);
        assert_eq!(
            json(std::str::from_utf8(&encode_json(&value)).unwrap()).0,
            value
        );
    }
}
