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

#[test]
fn numbers_survive_being_written() {
    for text in ["1846744073784095516516", "0.1", "1e-308", "4.9e-324"] {
        let (read, _) = decode_json(text.as_bytes()).unwrap();
        let (again, _) = decode_json(&encode_json(&read)).unwrap();
        assert_eq!(again, read, "{text}");
    }
}

#[test]
fn long_documents_are_read_whole() {
    let item = |i: u32| format!("- {{name: e{i}, value: v}}\n");
    let text: String = (0..60_000).map(item).collect();
    let (list, _) = decode_yaml(text.as_bytes()).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 60_000);
    assert_eq!(list[59_999]["name"], "e59999");
}
