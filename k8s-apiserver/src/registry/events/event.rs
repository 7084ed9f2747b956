//! Event of `events.k8s.io`: another form of the core group's events, which are what is stored.

use std::time::Duration;

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    api::{self, FieldError, NameRule, Rules},
    scheme::gvk::Gvk,
    table::ColumnDefinition,
};

use crate::registry::{KindRow, Strategy, WriteContext, core};

/// Strategy of `events.k8s.io/v1` `Event`.
pub(crate) struct Event;

impl Strategy for Event {
    fn kind(&self) -> KindRow {
        KindRow::new("events.k8s.io", "v1", "Event", "events")
            .short_names(&["ev"])
            .stored_as(stored(), "events")
            .create_on_update()
    }

    fn rules(&self) -> Option<&dyn Rules> {
        Some(&AsWritten)
    }

    /// Events have no status.
    fn prepare_create(&self, _object: &mut Object, _ctx: &WriteContext<'_>) {}

    fn prepare_update(&self, _new: &mut Object, _old: &Object, _ctx: &WriteContext<'_>) {}

    fn ttl(&self) -> Option<Duration> {
        core::event::Event.ttl()
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ]
    }

    fn fields(&self, object: &Object) -> Vec<(&'static str, String)> {
        core::event::Event.fields(&api::convert(object.clone(), &stored()))
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &core::event::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        core::event::Event.row(&api::convert(object.clone(), &stored()), now)
    }
}

/// The rules of this group for events in their stored form: faults name the fields as they were written.
struct AsWritten;

impl Rules for AsWritten {
    fn name_rule(&self) -> NameRule {
        api::events::event::Event.name_rule()
    }

    fn is_namespaced(&self) -> bool {
        api::events::event::Event.is_namespaced()
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        api::events::event::Event.validate(&api::convert(object.clone(), &written()))
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let [new, old] = [new, old].map(|event| api::convert(event.clone(), &written()));
        api::events::event::Event.validate_update(&new, &old)
    }
}

fn stored() -> Gvk {
    Gvk::new("", "v1", "Event")
}

fn written() -> Gvk {
    Gvk::new("events.k8s.io", "v1", "Event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selectable_has_a_value_in_the_stored_form() {
        let fields = Event.fields(&Object::default());
        for name in Event.selectable() {
            assert!(fields.iter().any(|(field, _)| field == name), "{name}");
        }
    }
}
