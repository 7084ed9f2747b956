//! Which of several classes is the default one, for kinds that mark it with an annotation.

use k8s_apimachinery::Object;

use crate::registry::View;

/// The name of the class that is marked by one of these annotations. Of several the newest counts, and of those made
/// in the same second the first by name: so a new default can be made before the old one is unmarked.
pub(super) fn newest(view: &View<'_>, group: &str, plural: &str, marks: &[&str]) -> Option<String> {
    let classes = view.list(group, plural, "");
    let classes = classes.iter().map(|class| class.entry.object());
    first(classes.filter(|class| is_marked(class, marks)))
}

fn is_marked(class: &Object, marks: &[&str]) -> bool {
    let mut marks = marks.iter();
    marks.any(|mark| class.annotation(mark) == Some("true"))
}

fn first(classes: impl Iterator<Item = Object>) -> Option<String> {
    // Timestamps are RFC 3339 in UTC, so their texts are ordered as they are.
    let newest = classes.max_by(|a, b| {
        let age = a.creation_timestamp().cmp(&b.creation_timestamp());
        age.then_with(|| b.name().cmp(a.name()))
    });
    newest.map(|class| class.name().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(classes: &[(&str, &str)], want: Option<&str>) {
        let classes = classes.iter().map(|(name, time)| {
            let time = format!("2026-01-01T00:00:{time}Z");
            let class = json!({ "metadata": { "name": name, "creationTimestamp": time } });
            Object::from_value(class).unwrap()
        });
        assert_eq!(first(classes).as_deref(), want);
    }

    #[test]
    fn the_newest_class_wins_and_then_the_first_by_name() {
        check(&[], None);
        check(&[("a", "01"), ("b", "09"), ("c", "03")], Some("b"));
        check(&[("b", "02"), ("a", "02"), ("c", "02")], Some("a"));
    }
}
