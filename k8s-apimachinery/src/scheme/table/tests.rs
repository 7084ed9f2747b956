use super::*;
use crate::scheme::schema::{ListType, WhenEmpty};

/// Resolves every link below a node, without following it.
fn resolve(schema: &Schema) {
    match schema.shape() {
        Shape::Object { fields, .. } => fields.iter().for_each(|field| follow(field.schema())),
        Shape::Map { values, .. } => follow(values.get()),
        Shape::List { items, .. } => follow(items.get()),
        _ => {}
    }
}

fn follow(schema: &Schema) {
    if !matches!(schema.shape(), Shape::Object { .. }) {
        resolve(schema);
    }
}

#[test]
fn every_line_parses_and_names_only_what_is_defined() {
    let types = TABLE.types.values().flat_map(BTreeMap::values);
    let count = types.map(|found| resolve(&found.schema(false))).count();
    assert!(count > 750, "{count} types");
}

#[test]
fn map_keys_and_merge_keys_are_fields_of_the_items() {
    for found in TABLE.types.values().flat_map(BTreeMap::values) {
        let schema = found.schema(false);
        for field in schema.fields() {
            let Some(items) = field.schema().items() else {
                continue;
            };
            let keys = match field.schema().list_type() {
                ListType::Map(keys) => keys.as_slice(),
                _ => &[],
            };
            for key in keys.iter().chain(&field.patch.merge_key) {
                assert!(
                    items.field(key).is_some(),
                    "{}.{}: {key}",
                    schema.type_name(),
                    field.name
                );
            }
        }
    }
}

#[test]
fn marks_are_read() {
    let field = parse_field("protocol*!=TCP:[meta.Status]/a,b^a+", META);
    assert_eq!(
        (&*field.name, field.is_required, field.when_empty),
        ("protocol", true, WhenEmpty::Omitted)
    );
    assert_eq!(field.key_default.as_deref(), Some("TCP"));
    assert_eq!(
        field.schema().list_type(),
        &ListType::Map(vec!["a".into(), "b".into()])
    );
    assert!(field.patch.merges && field.patch.retains_keys && !field.patch.replaces);
    assert_eq!(field.patch.merge_key.as_deref(), Some("a"));
    assert_eq!(
        parse_field("a:{[s]}=", META).schema().go_type(),
        "map[string][]string"
    );
    assert_eq!(parse_field("a?:[s]", META).when_empty, WhenEmpty::Kept);
}
