//! The page of the documentation that lists what is served: written from the rows, so it can't be out of date.

use std::{
    collections::HashSet,
    fmt::Write,
    path::{Path, PathBuf},
};

use k8s_apimachinery::{scheme::gvk::Gvk, table::ColumnDefinition};

use super::builtin_strategies;
use crate::{
    builder::{review_kinds, token_review_kind},
    registry::{ALL_VERBS, ComponentStatus, KindRow},
};

const HEAD: &str = "\
# Kinds

What the server serves from the start. Written by a test of `k8s-apiserver` (`registry/builtin/page.rs`);
`UPDATE_EXPECT=1 cargo test -p k8s-apiserver --lib page` rewrites it.

Columns are those of `kubectl get`; those in brackets are added by `-o wide`. *All* verbs are create, delete,
deletecollection, get, list, patch, update and watch.

| Group and version | Kind | Resource | Short names | Categories | In namespaces | Verbs | Subresources | Columns |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

fn page() -> String {
    let mut lines: Vec<_> = builtin_strategies()
        .iter()
        .map(|strategy| (strategy.kind(), columns(strategy.columns())))
        .chain(virtual_kinds())
        .collect();
    lines.sort_by(|(a, _), (b, _)| (&a.group, &a.kind).cmp(&(&b.group, &b.kind)));
    let mut page = HEAD.to_owned();
    for (row, columns) in lines {
        writeln!(page, "{}", line(&row, &columns)).expect("a string takes everything");
    }
    page
}

/// Kinds that are computed when they are asked for, with their columns.
fn virtual_kinds() -> impl Iterator<Item = (KindRow, String)> {
    let reviews = review_kinds().into_iter().chain([token_review_kind()]);
    let shown = columns(ComponentStatus::columns());
    let status = (ComponentStatus::kind(), shown);
    reviews.map(|row| (row, String::new())).chain([status])
}

fn line(row: &KindRow, columns: &str) -> String {
    let subresources: Vec<_> = row.subresources.iter().map(|s| s.name.as_str()).collect();
    let verbs = match row.verbs.iter().eq(&ALL_VERBS) {
        true => "all".to_owned(),
        false => row.verbs.join(", "),
    };
    let cells = [
        group_versions(row),
        row.kind.clone(),
        format!("{} ({})", row.plural, row.singular),
        row.short_names.join(", "),
        row.categories.join(", "),
        if row.namespaced { "yes" } else { "no" }.to_owned(),
        verbs,
        subresources.join(", "),
        columns.to_owned(),
    ];
    format!("| {} |", cells.join(" | "))
}

fn group_versions(row: &KindRow) -> String {
    let versions = row.versions.iter().map(|version| match row.group.as_str() {
        "" => version.clone(),
        group => format!("{group}/{version}"),
    });
    versions.collect::<Vec<_>>().join(", ")
}

fn columns(columns: &[ColumnDefinition]) -> String {
    let name = |column: &ColumnDefinition| match column.priority {
        0 => column.name.to_owned(),
        _ => format!("[{}]", column.name),
    };
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_lists_what_is_served() {
    expect_test::expect_file!["../../../../docs/kinds.md"].assert_eq(&page());
}

#[test]
fn each_kind_on_the_page_has_a_maximal_object() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s-apimachinery/testdata/kinds");
    let entries = |directory: PathBuf| {
        let entries = std::fs::read_dir(directory).expect("a directory");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let files = entries(root).flat_map(entries);
    let names = files.filter_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let after = |word: &str| {
            let mut lines = text.lines();
            lines
                .find_map(|line| line.strip_prefix(word))
                .map(str::to_owned)
        };
        Some((after("apiVersion: ")?, after("kind: ")?))
    });
    let known: HashSet<(String, String)> = names.collect();
    let rows = builtin_strategies()
        .into_iter()
        .map(|strategy| strategy.kind());
    let rows = rows.chain(virtual_kinds().map(|(row, _)| row));
    let lacking: Vec<_> = rows
        .flat_map(|row| {
            row.versions
                .iter()
                .map(|v| Gvk::new(&row.group, v, &row.kind))
                .collect::<Vec<_>>()
        })
        .map(|gvk| (gvk.api_version(), gvk.kind))
        .filter(|kind| !known.contains(kind))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}
