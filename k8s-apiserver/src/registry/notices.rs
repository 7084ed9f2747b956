//! What a request has to say beside its answer: warnings for the client, annotations for the audit log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most characters of all warnings together, as in Kubernetes.
const MAX_TOTAL: usize = 4096;
/// Most characters of each once they are more than that.
const MAX_EACH: usize = 256;

/// Collects what the handler, strategies and admission plugins notice while they decide.
///
/// A decision that lost a race is made again and notices the same again: each text is kept once.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Noticed>);

#[derive(Debug, Default)]
struct Noticed {
    warnings: Vec<String>,
    known: BTreeSet<String>,
    annotations: Annotations,
}

/// Annotations of a request's audit event, by key. The response carries them to the audit layer as an extension.
pub type Annotations = BTreeMap<String, String>;

impl Notices {
    /// A `Warning` header of the response, which `kubectl` prints.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut noticed = self.noticed();
        if noticed.known.insert(text.clone()) {
            noticed.warnings.push(text);
        }
    }

    /// An annotation of the request's audit event. The first value of a key stays.
    pub fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        let mut noticed = self.noticed();
        let slot = noticed.annotations.entry(key.into());
        slot.or_insert_with(|| value.into());
    }

    /// Everything said so far: the warnings in order, cut down if they are many, and the annotations.
    pub fn take(&self) -> (Vec<String>, Annotations) {
        let noticed = std::mem::take(&mut *self.noticed());
        (fit(noticed.warnings), noticed.annotations)
    }

    fn noticed(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Warnings are headers, and of headers only so many go with a response.
fn fit(warnings: Vec<String>) -> Vec<String> {
    let length = |text: &String| text.chars().count();
    if warnings.iter().map(length).sum::<usize>() <= MAX_TOTAL {
        return warnings;
    }
    let mut written = 0;
    let cut = warnings
        .iter()
        .map(|text| text.chars().take(MAX_EACH).collect());
    cut.take_while(|text: &String| {
        let fits = written < MAX_TOTAL;
        written += length(text);
        fits
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_kept_once_and_each_key_has_its_first_value() {
        let notices = Notices::default();
        for text in ["a", "b", "a"] {
            notices.warn(text);
            notices.annotate("key", text);
        }
        let (warnings, annotations) = notices.take();
        assert_eq!(warnings, ["a", "b"]);
        assert_eq!(annotations, Annotations::from([("key".into(), "a".into())]));
        assert_eq!(notices.take(), Default::default());
    }

    #[test]
    fn many_warnings_are_cut_down() {
        let notices = Notices::default();
        for number in 0..100_000 {
            notices.warn(format!("{number:0300}"));
        }
        let (warnings, _) = notices.take();
        assert_eq!(warnings.len(), MAX_TOTAL / MAX_EACH);
        assert!(warnings.iter().all(|text| text.len() == MAX_EACH));
    }
}
