//! What classes tell their drivers: the driver's name, and parameters only it understands.

use crate::api::Field;
use crate::name;

const MAX_PARAMETERS: usize = 512;
const MAX_BYTES: usize = 256 * 1024;

/// Checks the name of what provisions.
pub(super) fn check_provisioner(provisioner: &Field) {
    if provisioner.must_be_set() {
        let lower = provisioner.str().to_lowercase();
        for message in name::qualified_name(&lower) {
            provisioner.invalid_value(lower.as_str(), message);
        }
    }
}

/// Checks number and size of parameters.
pub(super) fn check(parameters: &Field) {
    if parameters.len() > MAX_PARAMETERS {
        parameters.too_long(MAX_PARAMETERS);
        return;
    }
    let mut size = 0;
    for (key, value) in parameters.entries() {
        if key.is_empty() {
            parameters.invalid_value(key, "field can not be empty.");
        }
        size += key.len() + value.str().len();
    }
    if size > MAX_BYTES {
        parameters.too_long(MAX_BYTES);
    }
}

/// Reports a field that an update must not touch.
pub(super) fn must_stay(new: &Field, old: &Field, name: &str) {
    if !new.get(name).same_as(&old.get(name)) {
        new.get(name)
            .forbidden(format!("updates to {name} are forbidden."));
    }
}
