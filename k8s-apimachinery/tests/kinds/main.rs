//! Every built-in kind against a maximal object of it: one in which every field is set.
//!
//! The objects are in `testdata/kinds/<group>/<version>.<Kind>.yaml`, with one document for each way of filling fields
//! that exclude each other. A kind joins by its file alone. Each object is accepted and comes back unchanged; and each of
//! its fields is removed, mistyped, negated, lengthened, and changed in an update. What becomes of each is in the `.txt`
//! beside the object; `UPDATE_EXPECT=1` writes it anew.

mod coverage;
mod fault;
mod node;
mod sample;

use std::{collections::BTreeSet, fmt::Write, path::Path};

use k8s_apimachinery::{api, scheme::Schema};
use sample::{Sample, samples};

/// Groups and kinds whose maximal objects are still to be written.
const TO_BE_WRITTEN: [&str; 6] = [
    "/v1, Kind=LimitRange",
    "/v1, Kind=ResourceQuota",
    "authorization.k8s.io/",
    "certificates.k8s.io/v1, Kind=CertificateSigningRequest",
    "autoscaling/v1, Kind=Scale",
    "autoscaling/v1, Kind=HorizontalPodAutoscaler",
];

#[test]
fn maximal_objects_are_accepted_and_come_back_unchanged() {
    for sample in samples() {
        for document in &sample.documents {
            let read = sample.read(document.clone());
            let read = read.unwrap_or_else(|error| panic!("{}: {error}", sample.name));
            let changes = node::differences(document, &read.clone().into_value());
            assert!(changes.is_empty(), "{}: {changes:#?}", sample.name);
            let faults = sample.rules().validate(&read);
            assert!(faults.is_empty(), "{}: {faults:#?}", sample.name);
            let faults = sample.rules().validate_update(&read, &read);
            assert!(faults.is_empty(), "{}: {faults:#?}", sample.name);
            let faults = sample.rules().validate_status_update(&read, &read);
            assert!(faults.is_empty(), "{}: {faults:#?}", sample.name);
        }
    }
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
        .filter(|kind| !TO_BE_WRITTEN.iter().any(|prefix| kind.starts_with(prefix)))
        .collect();
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// The fields that no document sets, then each field with what becomes of its faults.
fn report(sample: &Sample) -> String {
    let mut text = String::new();
    for path in coverage::unset(sample) {
        let _ = writeln!(text, "never set: {path}");
    }
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
