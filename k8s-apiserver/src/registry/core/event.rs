//! Event of the core group: also what events of `events.k8s.io` are stored as.

use std::time::Duration;

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age},
};

use crate::registry::{KindRow, Strategy, WriteContext, cell};

/// Strategy of `v1` `Event`.
pub(crate) struct Event;

/// How long an event is kept: Kubernetes' default `--event-ttl`.
const TTL: Duration = Duration::from_secs(3600);

/// The columns, the same in both groups.
pub(in crate::registry) static COLUMNS: [ColumnDefinition; 10] = [
    ColumnDefinition::text("Last Seen", "Time since it happened last."),
    ColumnDefinition::text("Type", "Normal, or a warning."),
    ColumnDefinition::text("Reason", "Why, in one word."),
    ColumnDefinition::text("Object", "The object that it is about."),
    ColumnDefinition::text("Subobject", "The part of the object that it is about.").wide(),
    ColumnDefinition::text("Source", "Who reports it.").wide(),
    ColumnDefinition::text("Message", "What happened, in words."),
    ColumnDefinition::text("First Seen", "Time since it happened first.").wide(),
    ColumnDefinition::text("Count", "How often it happened.").wide(),
    ColumnDefinition {
        priority: 1,
        ..ColumnDefinition::NAME
    },
];

impl Strategy for Event {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Event", "events")
            .short_names(&["ev"])
            .create_on_update()
    }

    /// Events have no status.
    fn prepare_create(&self, _object: &mut Object, _ctx: &WriteContext<'_>) {}

    fn prepare_update(&self, _new: &mut Object, _old: &Object, _ctx: &WriteContext<'_>) {}

    fn ttl(&self) -> Option<Duration> {
        Some(TTL)
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]
    }

    /// Under the names of both groups, since one stored event is selected through either.
    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        let text = |path: &[&str]| object.str(path).unwrap_or_default().to_owned();
        let reporter = text(&["reportingComponent"]);
        let source = match object.str(&["source", "component"]) {
            None | Some("") => reporter.clone(),
            Some(source) => source.to_owned(),
        };
        let mut fields = vec![
            ("reason", text(&["reason"])),
            ("reportingComponent", reporter.clone()),
            ("reportingController", reporter),
            ("source", source),
            ("type", text(&["type"])),
        ];
        for (part, names) in INVOLVED {
            let value = text(&["involvedObject", part]);
            fields.extend(names.map(|name| (name, value.clone())));
        }
        fields
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        let text = |path: &[&str]| object.str(path).unwrap_or_default();
        let since = |path: &[&str]| object.str(path).map(|time| age(Some(time), now));
        let first = since(&["firstTimestamp"]).or_else(|| since(&["eventTime"]));
        let first = first.unwrap_or_else(|| "<unknown>".to_owned());
        let (last, count) = if object.get(&["series"]).is_some() {
            let last = since(&["series", "lastObservedTime"]);
            (last, cell::number(object, &["series", "count"]))
        } else {
            (
                since(&["lastTimestamp"]),
                cell::number(object, &["count"]).max(1),
            )
        };
        vec![
            last.unwrap_or_else(|| first.clone()).into(),
            text(&["type"]).into(),
            text(&["reason"]).into(),
            target(object).into(),
            text(&["involvedObject", "fieldPath"]).into(),
            source(object).into(),
            text(&["message"]).trim().into(),
            first.into(),
            count.into(),
            object.name().into(),
        ]
    }
}

/// Parts of the object's reference, and their selectable names in both groups.
const INVOLVED: [(&str, [&str; 2]); 7] = [
    ("kind", ["involvedObject.kind", "regarding.kind"]),
    (
        "namespace",
        ["involvedObject.namespace", "regarding.namespace"],
    ),
    ("name", ["involvedObject.name", "regarding.name"]),
    ("uid", ["involvedObject.uid", "regarding.uid"]),
    (
        "apiVersion",
        ["involvedObject.apiVersion", "regarding.apiVersion"],
    ),
    (
        "resourceVersion",
        [
            "involvedObject.resourceVersion",
            "regarding.resourceVersion",
        ],
    ),
    (
        "fieldPath",
        ["involvedObject.fieldPath", "regarding.fieldPath"],
    ),
];

fn target(event: &Object) -> String {
    let kind = event
        .str(&["involvedObject", "kind"])
        .unwrap_or_default()
        .to_lowercase();
    match event.str(&["involvedObject", "name"]) {
        None | Some("") => kind,
        Some(name) => format!("{kind}/{name}"),
    }
}

fn source(event: &Object) -> String {
    let given = |path: &[&str], other: &str| {
        let text = event.str(path).filter(|text| !text.is_empty());
        text.or_else(|| event.str(&[other]))
            .unwrap_or_default()
            .to_owned()
    };
    let component = given(&["source", "component"], "reportingComponent");
    match given(&["source", "host"], "reportingInstance").as_str() {
        "" => component,
        host => format!("{component}, {host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(event: Value) -> Value {
        let now = "2026-01-01T00:05:00Z".parse().expect("a timestamp");
        Event
            .row(&Object::from_value(event).expect("an object"), now)
            .into()
    }

    #[test]
    fn repeated_events_show_when_they_were_seen_first_and_last() {
        let event = json!({
            "metadata": {"name": "e"}, "type": "Normal", "reason": "Pulled", "message": " done\n", "count": 3,
            "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{a}"},
            "source": {"component": "kubelet", "host": "n1"},
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:04:00Z",
        });
        assert_eq!(
            row(event),
            json!([
                "60s",
                "Normal",
                "Pulled",
                "pod/web",
                "spec.containers{a}",
                "kubelet, n1",
                "done",
                "5m",
                3,
                "e"
            ]),
        );
    }

    #[test]
    fn new_style_events_show_their_event_time() {
        let event = json!({
            "metadata": {"name": "e"}, "eventTime": "2026-01-01T00:04:30.000000Z",
            "involvedObject": {"kind": "Node", "name": "n1"}, "reportingComponent": "s", "reportingInstance": "i",
        });
        assert_eq!(
            row(event),
            json!(["30s", "", "", "node/n1", "", "s, i", "", "30s", 1, "e"])
        );
    }

    #[test]
    fn an_event_is_selectable_under_the_names_of_both_groups() {
        let event =
            Object::from_value(json!({"involvedObject": {"name": "web"}})).expect("an object");
        let fields = Event.fields(&event);
        for name in ["involvedObject.name", "regarding.name"] {
            assert!(fields.contains(&(name, "web".to_owned())), "{name}");
        }
        for name in Event.selectable() {
            assert!(fields.iter().any(|(field, _)| field == name), "{name}");
        }
    }
}
