use super::*;
use serde_json::json;

fn object(value: Value) -> Object {
    Object::from_value(value).expect("an object")
}

#[track_caller]
fn check(value: Value, check: impl FnOnce(&Field), want: &[&str]) {
    let faults = collect(&object(value), check);
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, want);
}

#[test]
fn faults_carry_their_path() {
    let value =
        json!({"spec": {"ports": [{"port": 1}, {"port": 0}]}, "metadata": {"labels": {"a": "b"}}});
    check(
        value,
        |root| {
            let spec = root.get("spec");
            for port in spec.get("ports").items() {
                port.get("port").must_be_port();
            }
            root.get("metadata").get("labels").key("a").invalid("no");
            spec.get("absent").must_be_set();
        },
        &[
            "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            r#"metadata.labels[a]: Invalid value: "b": no"#,
            "spec.absent: Required value",
        ],
    );
}

#[test]
fn absent_and_empty_are_the_same() {
    let (new, old) = (
        object(json!({"a": {}, "b": "x"})),
        object(json!({"b": "y"})),
    );
    let faults = collect_update(&new, &old, |new, old| {
        new.get("a").must_not_change(&old.get("a"));
        new.get("b").must_not_change(&old.get("b"));
    });
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [r#"b: Invalid value: "x": field is immutable"#]);
}

#[test]
fn repeated_keys_are_duplicates() {
    check(
        json!({"list": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}),
        |root| root.get("list").must_differ_in("name"),
        &[r#"list[2].name: Duplicate value: "a""#],
    );
}
