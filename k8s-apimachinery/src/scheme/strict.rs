//! Field validation: what `fieldValidation=Strict` refuses and `Warn` warns of (KEP-2885).

use std::fmt;

use super::codec::Duplicate;

/// Most faults that are told: Kubernetes' decoder collects no more either.
const MAX_FAULTS: usize = 100;

/// Unknown and duplicate fields. Displayed as the error of strict decoding; each fault alone is the text of a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrictError {
    faults: Vec<String>,
}

impl StrictError {
    /// The faults, in Kubernetes' words: `unknown field "spec.foo"`. Duplicates come first: reading meets them first.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for StrictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "strict decoding error: {}", self.faults.join(", "))
    }
}

impl std::error::Error for StrictError {}

/// Fails when there are unknown or duplicate fields, as [`prune`](super::prune()) and the
/// [decoders](super::codec::decode_json) report them.
pub fn check(unknown: &[String], duplicates: &[Duplicate]) -> Result<(), StrictError> {
    let duplicates = duplicates.iter().map(duplicate_fault);
    let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
    let faults: Vec<_> = duplicates.chain(unknown).take(MAX_FAULTS).collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(StrictError { faults }),
    }
}

fn duplicate_fault(duplicate: &Duplicate) -> String {
    let Duplicate { path, key, line } = duplicate;
    match line {
        None => format!("duplicate field {path:?}"),
        Some(line) => {
            format!("yaml: unmarshal errors:\n  line {line}: key {key:?} already set in map")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_a_hundred_faults_are_told() {
        let unknown: Vec<String> = (0..1000).map(|i| i.to_string()).collect();
        let error = check(&unknown, &[]).unwrap_err();
        assert_eq!(error.faults().len(), MAX_FAULTS);
    }

    #[test]
    fn faults_are_in_kubernetes_words() {
        assert_eq!(check(&[], &[]), Ok(()));
        let duplicate = Duplicate {
            path: "spec.replicas".into(),
            key: "replicas".into(),
            line: None,
        };
        let error = check(
            &["spec.foo".into(), "bar".into()],
            std::slice::from_ref(&duplicate),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"strict decoding error: duplicate field "spec.replicas", unknown field "spec.foo", unknown field "bar""#
        );
        let error = check(
            &[],
            &[Duplicate {
                line: Some(5),
                ..duplicate
            }],
        )
        .unwrap_err();
        assert_eq!(
            error.faults(),
            ["yaml: unmarshal errors:\n  line 5: key \"replicas\" already set in map"]
        );
    }
}
