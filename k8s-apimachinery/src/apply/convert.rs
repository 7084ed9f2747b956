//! Converting an object together with the record of who owns what in it.
//!
//! Field sets are converted through the fields themselves: what a manager owns is cut out of the object, converted like
//! the whole, and its fields in the other version are what the manager owns there. So an object's `managedFields` always
//! speak of the form that it is in; each entry keeps the `apiVersion` in which its manager wrote.

use serde_json::{Map, Value};

use super::{UNOWNED, element, field_set::FieldSet, manager::Managers};
use crate::{object::Object, scheme::schema::Schema};

/// Converts an object whose fields are described by `from` with `convert`, to a form described by `to`.
pub fn convert(
    object: Object,
    from: &Schema,
    to: &Schema,
    convert: &dyn Fn(Object) -> Object,
) -> Object {
    let managers = Managers::of(&object).filter(|managers| !managers.0.is_empty());
    let Some(mut managers) = managers else {
        return convert(object);
    };
    for entry in &mut managers.0 {
        let mut part = Object::from(part_of_map(object.as_map(), &entry.fields, from));
        part.set_gvk(&object.gvk());
        let part = convert(part);
        entry.fields = FieldSet::of_map(part.as_map(), to);
        entry.fields.subtract(&UNOWNED);
    }
    let mut converted = convert(object);
    managers.store(&mut converted);
    converted
}

fn part_of_map(map: &Map<String, Value>, set: &FieldSet, schema: &Schema) -> Map<String, Value> {
    let fields = map.iter().filter_map(|(name, value)| {
        let part = part_of(
            value,
            set.child(&element::field(name))?,
            schema.child(name).map(|s| &**s),
        );
        Some((name.clone(), part))
    });
    fields.collect()
}

fn part_of(value: &Value, set: &FieldSet, schema: Option<&Schema>) -> Value {
    let schema = schema.filter(|schema| !schema.is_atomic() && set.children().next().is_some());
    match (value, schema) {
        (Value::Object(map), Some(schema)) => part_of_map(map, set, schema).into(),
        (Value::Array(list), Some(schema)) => {
            let items = list.iter().filter_map(|item| {
                let below = set.child(&element::item(item, schema))?;
                Some(part_of(item, below, schema.items().map(|items| &**items)))
            });
            items.collect()
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api, scheme::Gvk};
    use serde_json::json;

    #[test]
    fn owners_own_the_same_fields_under_their_other_names() {
        let v1 = Gvk::new("autoscaling", "v1", "HorizontalPodAutoscaler");
        let v2 = Gvk::new("autoscaling", "v2", "HorizontalPodAutoscaler");
        let [from, to] = [&v1, &v2].map(|gvk| Schema::builtin(gvk).expect("a built-in kind"));
        let fields =
            json!({"f:spec": {"f:maxReplicas": {}, "f:targetCPUUtilizationPercentage": {}}});
        let object = Object::from_value(json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "managedFields": [
                {"manager": "me", "operation": "Apply", "apiVersion": "autoscaling/v1", "fieldsV1": fields},
            ]},
            "spec": {"maxReplicas": 3, "minReplicas": 1, "targetCPUUtilizationPercentage": 50},
        }))
        .expect("an object");
        let stored = convert(object.clone(), &from, &to, &|object| {
            api::convert(object, &v2)
        });
        let owned = |object: &Object| {
            object.get(&["metadata", "managedFields"]).expect("owners")[0]["fieldsV1"].clone()
        };
        assert_eq!(
            owned(&stored),
            json!({"f:spec": {"f:maxReplicas": {}, "f:metrics": {}}})
        );
        let back = convert(stored, &to, &from, &|object| api::convert(object, &v1));
        assert_eq!(owned(&back), fields);
    }
}
