//! The names of resources, as limit ranges and quotas may have them.

use crate::api::Field;
use crate::name;
use crate::resource_name::is_standard;

/// Checks the name that an amount stands under.
pub(super) fn check(amount: &Field, name: &str) {
    let messages = name::qualified_name(name);
    if messages.is_empty() && !name.contains('/') && !is_standard(name) {
        amount.invalid_value(name, "must be a standard resource type or fully qualified");
    }
    for message in messages {
        amount.invalid_value(name, message);
    }
}
