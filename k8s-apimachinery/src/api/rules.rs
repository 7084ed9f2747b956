//! The trait that each kind implements: its defaults and its checks.

use super::error::FieldError;
use super::field::{Field, collect, collect_update};
use super::metadata::{self, NameRule};
use crate::object::Object;

/// Defaulting and validation of one kind.
///
/// A kind implements the required methods and those of `default`, `check`, `check_create`,
/// `check_update` and `check_status` that it has something to say in; callers use `default` and the `validate`
/// methods, which add what is the same for every kind.
pub trait Rules: Send + Sync {
    /// How objects of this kind may be called.
    fn name_rule(&self) -> NameRule;

    /// Whether objects of this kind live in namespaces.
    fn is_namespaced(&self) -> bool;

    /// Fills in what the writer left out. Doing it twice changes nothing.
    fn default(&self, object: &mut Object) {
        let _ = object;
    }

    /// Checks the object as it stands, beside its metadata.
    fn check(&self, object: &Field) {
        let _ = object;
    }

    /// Checks what only a new object must not have.
    fn check_create(&self, object: &Field) {
        let _ = object;
    }

    /// Checks what an update must not change. The new object has been checked as it stands.
    fn check_update(&self, new: &Field, old: &Field) {
        let _ = (new, old);
    }

    /// Checks an update through the `status` subresource.
    fn check_status(&self, new: &Field, old: &Field) {
        let _ = (new, old);
    }

    /// All faults of an object to be created.
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        collect(object, |root| {
            metadata::check(root, self.name_rule(), self.is_namespaced());
            self.check(root);
            self.check_create(root);
        })
    }

    /// All faults of `new` as a replacement of `old`.
    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        collect_update(new, old, |new, old| {
            metadata::check_update(new, old);
            self.check(new);
            self.check_update(new, old);
        })
    }

    /// All faults of `new` as a replacement of `old` through another subresource than `status`. The default knows
    /// nothing that such a part may change and the whole may not.
    fn validate_part_update(&self, part: &str, new: &Object, old: &Object) -> Vec<FieldError> {
        let _ = part;
        self.validate_update(new, old)
    }

    /// All faults of `new` as a replacement of `old` through the `status` subresource.
    fn validate_status_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        collect_update(new, old, |new, old| {
            metadata::check_update(new, old);
            self.check_status(new, old);
        })
    }
}
