use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(text: &str) -> LabelSelector {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn matches(selector: &LabelSelector, labels: &[(&str, &str)]) -> bool {
    selector.matches(|key| {
        labels
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, value)| *value)
    })
}

#[test]
fn text_is_parsed_and_written_sorted_by_key() {
    let rows = [
        ("", ""),
        ("  ", ""),
        ("a=b", "a=b"),
        ("a==b", "a=b"),
        ("x!=y,a=b", "a=b,x!=y"),
        ("a", "a"),
        ("!a", "!a"),
        ("! a", "!a"),
        ("a=", "a="),
        ("a=,b", "a=,b"),
        ("a in (c, b)", "a in (b,c)"),
        ("a notin (b)", "a notin (b)"),
        ("a in (b,)", "a in (,b)"),
        ("a in ()", "a in ()"),
        ("a>1, b<2", "a>1,b<2"),
        ("in in (in,notin)", "in in (in,notin)"),
        ("x.io/role=web", "x.io/role=web"),
    ];
    for (text, written) in rows {
        assert_eq!(parse(text).to_string(), written);
    }
}

#[test]
fn malformed_text_is_refused_in_kubernetes_words() {
    let complaint = |text: &str| text.parse::<LabelSelector>().unwrap_err().to_string();
    assert_eq!(
        complaint(",a"),
        "found ',', expected: !, identifier, or 'end of string'"
    );
    assert_eq!(complaint("a,"), "found '', expected: identifier after ','");
    assert_eq!(
        complaint("a=b c"),
        "found 'c', expected: ',' or 'end of string'"
    );
    assert_eq!(
        complaint("a foo b"),
        "unable to parse requirement: found 'foo', expected: in, notin, =, ==, !=, gt, lt"
    );
    assert_eq!(
        complaint("a in b"),
        "unable to parse requirement: found 'b', expected: '('"
    );
    assert!(complaint("a in (b").contains("expected: ',', ')' or identifier"));
    assert!(complaint("-a=b").contains("name part must consist of alphanumeric characters"));
    assert!(complaint("a=-b").contains("a valid label must be an empty string or consist of"));
    assert!(complaint("a>b").contains("the value must be an integer"));
}

#[test]
fn absent_labels_satisfy_only_the_negations() {
    for text in ["a!=1", "a notin (1)", "!a", ""] {
        assert!(matches(&parse(text), &[]), "{text}");
    }
    for text in ["a=1", "a in (1)", "a", "a>0", "a<9", "a="] {
        assert!(!matches(&parse(text), &[]), "{text}");
    }
}

#[test]
fn present_labels_are_compared() {
    let labels = [("a", "5"), ("b", "x")];
    for text in [
        "a=5",
        "a in (4,5)",
        "a",
        "a!=4",
        "a notin (4)",
        "a>4",
        "a<6",
        "a=5,b=x",
        "!c",
    ] {
        assert!(matches(&parse(text), &labels), "{text}");
    }
    for text in [
        "a=4",
        "a in (4)",
        "!a",
        "a!=5",
        "a notin (5)",
        "a>5",
        "a<5",
        "b>1",
        "a=5,b=y",
    ] {
        assert!(!matches(&parse(text), &labels), "{text}");
    }
}

#[test]
fn the_form_in_objects_is_read() {
    let selector = LabelSelector::from_value(&json!({
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}],
    }))
    .unwrap();
    assert!(matches(&selector, &[("app", "web"), ("tier", "front")]));
    assert!(!matches(&selector, &[("app", "web"), ("tier", "back")]));
    assert_eq!(selector.exact("app"), Some("web"));
    assert_eq!(selector.to_string(), "app=web,tier notin (back)");

    assert!(
        LabelSelector::from_value(&json!({}))
            .unwrap()
            .is_everything()
    );
    let nothing = LabelSelector::from_value(&json!(null)).unwrap();
    assert!(nothing.is_nothing() && !matches(&nothing, &[("a", "b")]));

    let complaint = |operator: &str, values: &[&str]| {
        let value =
            json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]});
        LabelSelector::from_value(&value).unwrap_err().to_string()
    };
    assert_eq!(
        complaint("Like", &[]),
        "\"Like\" is not a valid label selector operator"
    );
    assert!(complaint("In", &[]).contains("values set can't be empty"));
    assert!(complaint("Exists", &["b"]).contains("values set must be empty"));
}

#[test]
fn a_set_selects_by_all_its_labels() {
    let selector = LabelSelector::from_set([("b", "2"), ("a", "1")]);
    assert_eq!(selector.to_string(), "a=1,b=2");
}

proptest! {
    #[test]
    fn what_is_written_parses_to_the_same(
        keys in prop::collection::btree_set("[a-z]{1,5}", 1..4),
        operator in 0usize..8,
        values in prop::collection::btree_set("[0-9]{1,4}", 1..3),
    ) {
        let operators = [
            Operator::Equals, Operator::NotEquals, Operator::In, Operator::NotIn,
            Operator::Exists, Operator::DoesNotExist, Operator::Gt, Operator::Lt,
        ];
        let operator = operators[operator];
        let values: Vec<_> = match operator {
            Operator::Exists | Operator::DoesNotExist => vec![],
            Operator::In | Operator::NotIn => values.into_iter().collect(),
            _ => values.into_iter().take(1).collect(),
        };
        let requirement = |key| Requirement { key, operator, values: values.clone() };
        let selector = LabelSelector::try_new(keys.into_iter().map(requirement).collect()).unwrap();
        prop_assert_eq!(selector.to_string().parse::<LabelSelector>().unwrap(), selector);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,24}") {
        let _ = text.parse::<LabelSelector>();
    }
}
