//! Events of the two groups: the same under different names. Those of the core group are what is stored.

use crate::object::Object;

/// Fields that the two groups call differently: here, and in the core group.
const RENAMED: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

pub(in crate::api) fn to_core(event: &mut Object) {
    for (here, there) in RENAMED {
        rename(event, here, there);
    }
}

pub(in crate::api) fn from_core(event: &mut Object) {
    for (here, there) in RENAMED {
        rename(event, there, here);
    }
}

fn rename(object: &mut Object, from: &str, to: &str) {
    if let Some(value) = object.remove(&[from]) {
        object.set(&[to], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::object;
    use serde_json::json;

    #[test]
    fn conversion_there_and_back_changes_nothing() {
        let event = object(json!({
            "regarding": {"name": "web"}, "note": "n", "reportingController": "c", "deprecatedCount": 2,
        }));
        let mut stored = event.clone();
        to_core(&mut stored);
        assert_eq!(stored.str(&["involvedObject", "name"]), Some("web"));
        from_core(&mut stored);
        assert_eq!(stored, event);
    }
}
