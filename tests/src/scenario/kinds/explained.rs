//! The fields that `kubectl explain --recursive` tells of.

use std::collections::BTreeSet;

use k8s_apimachinery::Value;

/// Paths of fields, each with dots between, and of those that are maps of something.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Explained {
    fields: BTreeSet<String>,
    maps: BTreeSet<String>,
}

impl Explained {
    /// Reads the tree under `FIELDS:`, in which each level is indented by two spaces.
    pub(super) fn parse(text: &str) -> Self {
        let mut explained = Explained::default();
        let mut parents: Vec<String> = Vec::new();
        let lines = text.lines().skip_while(|line| !line.starts_with("FIELDS:"));
        for line in lines.skip(1) {
            let indent = line.len() - line.trim_start().len();
            let Some((name, kind)) = line.trim_start().split_once('\t') else {
                continue; // the values of an enumeration
            };
            parents.truncate((indent / 2).saturating_sub(1));
            parents.push(name.to_owned());
            let path = parents.join(".");
            let has_any_keys = ["<map[", "<Object>", "<RawExtension>"];
            if has_any_keys.iter().any(|each| kind.starts_with(each)) {
                explained.maps.insert(path.clone());
            }
            explained.fields.insert(path);
        }
        explained
    }

    /// The paths that an object sets and no line tells of.
    pub(super) fn missing(&self, object: &Value) -> Vec<String> {
        let mut missing = Vec::new();
        self.walk(object, "", &mut missing);
        missing
    }

    fn walk(&self, value: &Value, path: &str, missing: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for item in items {
                    self.walk(item, path, missing);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    if self.maps.contains(path) {
                        // Of a map of objects each is explained alike, of others none.
                        if !self.is_map(path) {
                            self.walk_item(value, path, missing);
                        }
                        continue;
                    }
                    let below = match path {
                        "" => name.clone(),
                        parent => format!("{parent}.{name}"),
                    };
                    match self.fields.contains(&below) {
                        true => self.walk(value, &below, missing),
                        false => missing.push(below),
                    }
                }
            }
            _ => (),
        }
    }

    /// The fields of an object in a map, which are explained right below the map.
    fn walk_item(&self, item: &Value, path: &str, missing: &mut Vec<String>) {
        for (name, value) in item.as_object().into_iter().flatten() {
            let below = format!("{path}.{name}");
            match self.fields.contains(&below) {
                true => self.walk(value, &below, missing),
                false => missing.push(below),
            }
        }
    }

    /// Whether this is a map, or an object of no known form, whose keys are anybody's.
    fn is_map(&self, path: &str) -> bool {
        let inside = format!("{path}.");
        self.maps.contains(path) && !self.fields.iter().any(|field| field.starts_with(&inside))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "KIND: Pod\n\nFIELDS:\n  metadata\t<ObjectMeta>\n    labels\t<map[string]string>\n  \
                        spec\t<PodSpec>\n    containers\t<[]Container> -required-\n      name\t<string> -required-\n    \
                        enum: A, B\n";

    #[test]
    fn what_is_set_and_not_explained_is_missing() {
        let explained = Explained::parse(TEXT);
        let object = json!({
            "metadata": { "labels": { "example.com/a": "b" } },
            "spec": { "containers": [{ "name": "c" }, { "image": "i" }], "other": 1 },
        });
        assert_eq!(
            explained.missing(&object),
            ["spec.containers.image", "spec.other"]
        );
    }
}
