//! What both sorts of bindings print.

use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use crate::registry::cell;

pub(super) static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Role", "The role that is granted."),
    ColumnDefinition::AGE,
    ColumnDefinition::text("Users", "Users it is granted to.").wide(),
    ColumnDefinition::text("Groups", "Groups it is granted to.").wide(),
    ColumnDefinition::text("ServiceAccounts", "Service accounts it is granted to.").wide(),
];

pub(super) fn row(binding: &Object, now: Timestamp) -> Vec<Value> {
    let text = |field| binding.str(&["roleRef", field]).unwrap_or_default();
    vec![
        binding.name().into(),
        format!("{}/{}", text("kind"), text("name")).into(),
        age_of(binding, now).into(),
        subjects(binding, "User").into(),
        subjects(binding, "Group").into(),
        subjects(binding, "ServiceAccount").into(),
    ]
}

fn subjects(binding: &Object, kind: &str) -> String {
    let of_kind = |subject: &&Value| subject["kind"] == kind;
    let name = |subject: &Value| {
        let name = subject["name"].as_str().unwrap_or_default();
        match (kind, subject["namespace"].as_str()) {
            ("ServiceAccount", Some(namespace)) => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        }
    };
    let subjects = cell::items(binding, &["subjects"]).iter();
    subjects
        .filter(of_kind)
        .map(name)
        .collect::<Vec<_>>()
        .join(", ")
}
