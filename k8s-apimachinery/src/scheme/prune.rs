//! Drops the fields that a kind doesn't have.

use serde_json::Value;

use super::{
    path::Path,
    schema::{Schema, Shape},
};

/// Drops unknown fields and returns their paths, such as `spec.containers[0].foo`, in order of appearance.
///
/// Values of the wrong type are left alone: [`normalise`](super::normalise()) reports them.
pub fn prune(schema: &Schema, value: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(schema, value, &Path::ROOT, &mut unknown);
    unknown
}

fn walk(schema: &Schema, value: &mut Value, path: &Path<'_>, unknown: &mut Vec<String>) {
    match (schema.shape(), value) {
        (Shape::Object { keeps_unknown, .. }, Value::Object(map)) => map.retain(|name, value| {
            let path = path.name(name);
            match schema.field(name) {
                Some(field) => walk(field.schema(), value, &path, unknown),
                None if *keeps_unknown => {}
                None => {
                    unknown.push(path.to_string());
                    return false;
                }
            }
            true
        }),
        (Shape::Map { values, .. }, Value::Object(map)) if is_deep(values.get()) => {
            for (key, value) in map {
                walk(values.get(), value, &path.name(key), unknown);
            }
        }
        (Shape::List { items, .. }, Value::Array(list)) if is_deep(items.get()) => {
            for (i, item) in list.iter_mut().enumerate() {
                walk(items.get(), item, &path.index(i), unknown);
            }
        }
        _ => {}
    }
}

/// Whether there may be something to drop.
fn is_deep(schema: &Schema) -> bool {
    matches!(
        schema.shape(),
        Shape::Object { .. } | Shape::Map { .. } | Shape::List { .. }
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scheme::Gvk;

    #[test]
    fn unknown_fields_go_and_are_named_in_order() {
        let schema = Schema::builtin(&Gvk::new("", "v1", "Pod")).unwrap();
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "extra": 1,
            "metadata": {"labels": {"any": "thing"}, "Name": "case matters"},
            "spec": {"containers": [{"name": "a"}, {"name": "b", "foo": {"bar": 1}}], "volumes": "wrong type"},
        });
        let unknown = prune(&schema, &mut pod);
        assert_eq!(
            unknown,
            ["extra", "metadata.Name", "spec.containers[1].foo"]
        );
        assert_eq!(
            pod,
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"labels": {"any": "thing"}},
                "spec": {"containers": [{"name": "a"}, {"name": "b"}], "volumes": "wrong type"},
            })
        );
        assert!(prune(&schema, &mut pod).is_empty());
    }

    #[test]
    fn free_json_is_left_alone() {
        let schema = Schema::builtin(&Gvk::new("apps", "v1", "ControllerRevision")).unwrap();
        let mut revision = json!({"data": {"spec": {"whatever": [1]}}, "revision": 1});
        assert!(prune(&schema, &mut revision).is_empty());
        assert_eq!(revision["data"]["spec"]["whatever"], json!([1]));
    }
}
