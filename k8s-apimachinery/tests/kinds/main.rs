//! Every built-in kind against a maximal object of it: one in which every field is set.
//!
//! The objects are in `testdata/kinds/<group>/<version>.<Kind>.yaml`, with one document for each way of filling fields
//! that exclude each other; a field that no document can set is named at the head of the file, with the reason. A kind
//! joins by its file alone. Each object is accepted and comes back unchanged; and each of
//! its fields is removed, mistyped, negated, lengthened, and changed in an update. What becomes of each is in the `.txt`
//! beside the object; `UPDATE_EXPECT=1` writes it anew.

mod coverage;
mod fault;
mod node;
mod protobuf;
mod sample;
mod update;

use std::{collections::BTreeSet, fmt::Write, path::Path};

use k8s_apimachinery::{api, scheme::Schema};
use sample::{Sample, samples};

#[test]
fn maximal_objects_are_accepted_and_come_back_unchanged() {
    let mut wrong = Vec::new();
    for sample in samples() {
        for document in &sample.documents {
            let read = sample.read(document.clone());
            let read = read.unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            let back = api::convert(read.clone(), &sample.gvk).into_value();
            let faults = [
                sample.validate(&read),
                sample.validate_update(&read, &read, false),
                sample.validate_update(&read, &read, true),
            ];
            let faults = faults.iter().flatten().map(ToString::to_string);
            let changes = node::differences(document, &back).into_iter();
            let found = changes.chain(faults);
            wrong.extend(found.map(|fault| format!("{}: {fault}", sample.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_field_is_set_somewhere_or_it_is_said_why_it_cannot_be() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let unset = coverage::unset(&sample);
        let is_excused = |path: &String| sample.excused.iter().any(|(known, _)| known == path);
        let silent = unset.iter().filter(|path| !is_excused(path));
        wrong.extend(silent.map(|path| format!("{}: {path} is never set", sample.name)));
        let stale = sample
            .excused
            .iter()
            .filter(|(path, _)| !unset.contains(path));
        wrong.extend(stale.map(|(path, _)| format!("{}: {path} is set", sample.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_generated_fault_has_the_recorded_outcome() {
    let mut differing = Vec::new();
    for sample in samples() {
        let found = report(&sample);
        let path = sample.file.with_extension("txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, found).expect("the outcomes can be written");
        } else if std::fs::read_to_string(&path).unwrap_or_default() != found {
            differing.push(first_difference(&path, &found));
        }
    }
    assert!(
        differing.is_empty(),
        "outcomes differ; see them with UPDATE_EXPECT=1 and git diff:\n{}",
        differing.join("\n")
    );
}

#[test]
fn every_kind_with_rules_has_a_maximal_object() {
    let known: BTreeSet<String> = samples().map(|sample| sample.gvk.to_string()).collect();
    let lacking: Vec<_> = Schema::builtin_kinds()
        .filter(|gvk| api::rules(gvk).is_some() && !known.contains(&gvk.to_string()))
        .map(|gvk| gvk.to_string())
        .collect();
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// Each field with what becomes of its faults.
fn report(sample: &Sample) -> String {
    let mut text = String::new();
    for (field, outcomes) in fault::outcomes(sample) {
        let _ = writeln!(text, "{field}");
        for (outcome, faults) in outcomes {
            let _ = writeln!(text, "  {}: {outcome}", faults.join(", "));
        }
    }
    text
}

fn first_difference(path: &Path, found: &str) -> String {
    let recorded = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = recorded.lines().chain([""]).zip(found.lines().chain([""]));
    let (was, is) = lines.find(|(was, is)| was != is).unwrap_or_default();
    format!("{}\n- {was}\n+ {is}", path.display())
}
