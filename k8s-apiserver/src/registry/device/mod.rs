//! Kinds of `resource.k8s.io`: dynamic resource allocation. (A resource is something else in this crate.)

mod admin_access;
pub(super) mod device_class;
pub(super) mod device_taint_rule;
pub(super) mod resource_claim;
pub(super) mod resource_claim_template;
pub(super) mod resource_slice;

use k8s_apimachinery::Value;

use super::{WriteContext, rfc3339};

/// A taint says since when it holds: now, unless its author says otherwise.
fn date_taint(taint: &mut Value, ctx: &WriteContext<'_>) {
    if taint.is_object() && taint["timeAdded"].is_null() {
        taint["timeAdded"] = rfc3339(ctx.now).into();
    }
}
