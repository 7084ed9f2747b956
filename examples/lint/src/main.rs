//! Tells what is wrong with manifests, in the API server's words and without one:
//!
//! `cargo run -p lint -- examples/lint/testdata/good.yaml examples/lint/testdata/bad.yaml`
//!
//! Ends with 1 if anything is wrong. What only a running cluster knows (quotas, taken names, custom kinds) isn't checked.

use std::{env, fs, process::ExitCode};

use anyhow::{Context, Result, bail};
use k8s_apimachinery::{
    Object, Value, api,
    scheme::{Schema, codec, normalise, prune, strict},
};

fn main() -> Result<ExitCode> {
    let mut found = 0;
    for path in env::args().skip(1) {
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        for fault in lint(&text) {
            println!("{path}: {fault}");
            found += 1;
        }
    }
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What is wrong with the documents of a manifest, each fault with the object that has it.
fn lint(manifest: &str) -> Vec<String> {
    let documents = manifest.split("\n---").filter(|text| has_content(text));
    documents
        .flat_map(|document| check(document).unwrap_or_else(|error| vec![format!("{error:#}")]))
        .collect()
}

fn has_content(document: &str) -> bool {
    let mut lines = document.lines().map(str::trim);
    lines.any(|line| !line.is_empty() && !line.starts_with('#') && line != "---")
}

fn check(document: &str) -> Result<Vec<String>> {
    let (mut value, duplicates) = codec::decode_yaml(document.as_bytes())?;
    let gvk = Object::from_value(value.clone())?.gvk();
    let (Some(schema), Some(rules)) = (Schema::builtin(&gvk), api::rules(&gvk)) else {
        bail!("{gvk}: no rules for this kind");
    };
    normalise(&schema, &mut value)?;
    let unknown = prune(&schema, &mut value);
    let mut faults: Vec<String> = match strict::check(&unknown, &duplicates) {
        Ok(()) => Vec::new(),
        Err(error) => error.faults().to_vec(),
    };
    let mut object = Object::from_value(value)?;
    if rules.is_namespaced() && object.namespace().is_empty() {
        object.set(&["metadata", "namespace"], Value::from("default"));
    }
    rules.default(&mut object);
    faults.extend(rules.validate(&object).iter().map(ToString::to_string));
    let of = format!("{}/{}", gvk.kind.to_lowercase(), object.name());
    Ok(faults
        .into_iter()
        .map(|fault| format!("{of}: {fault}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::lint;

    #[test]
    fn a_good_manifest_has_no_faults() {
        assert!(lint(include_str!("../testdata/good.yaml")).is_empty());
    }

    #[test]
    fn all_faults_are_told_in_the_servers_words() {
        assert_eq!(
            lint(include_str!("../testdata/bad.yaml")),
            [
                r#"deployment/web: unknown field "spec.replica""#,
                "deployment/web: spec.template.spec.containers[0].image: Required value",
                r#"cronjob/tidy: spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60"#,
                "example.com/v1, Kind=Thing: no rules for this kind",
            ]
        );
    }
}
