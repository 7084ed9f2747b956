//! What a request has to say beside its answer: warnings for the client, annotations for the audit log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Collects what the handler, strategies and admission plugins notice while they decide.
///
/// A decision that lost a race is made again and notices the same again: each text is kept once.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Noticed>);

#[derive(Debug, Default)]
struct Noticed {
    warnings: Vec<String>,
    annotations: Annotations,
}

/// Annotations of a request's audit event, by key. The response carries them to the audit layer as an extension.
pub type Annotations = BTreeMap<String, String>;

impl Notices {
    /// A `Warning` header of the response, which `kubectl` prints.
    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut noticed = self.noticed();
        if !noticed.warnings.contains(&text) {
            noticed.warnings.push(text);
        }
    }

    /// An annotation of the request's audit event. The first value of a key stays.
    pub fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        let mut noticed = self.noticed();
        let slot = noticed.annotations.entry(key.into());
        slot.or_insert_with(|| value.into());
    }

    /// Everything said so far: the warnings in order, and the annotations.
    pub fn take(&self) -> (Vec<String>, Annotations) {
        let noticed = std::mem::take(&mut *self.noticed());
        (noticed.warnings, noticed.annotations)
    }

    fn noticed(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
}
