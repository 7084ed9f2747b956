//! Conversion of built-in kinds between their versions, and of those that two groups share.
//!
//! Pure, and in one place per kind: `api/<group>/convert.rs`. Versions that look alike need no entry here: only the
//! `apiVersion` differs. A kind is stored in one version and converted on the way in and out.

use super::{autoscaling, events};
use crate::{object::Object, scheme::Gvk};

/// `apiVersion` from, `apiVersion` to, kind, and the edit that leads there.
type Conversion = (&'static str, &'static str, &'static str, fn(&mut Object));

const CONVERSIONS: [Conversion; 4] = [
    (
        "autoscaling/v1",
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        autoscaling::convert::to_v2,
    ),
    (
        "autoscaling/v2",
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        autoscaling::convert::to_v1,
    ),
    ("events.k8s.io/v1", "v1", "Event", events::convert::to_core),
    (
        "v1",
        "events.k8s.io/v1",
        "Event",
        events::convert::from_core,
    ),
];

/// The object in another version of its kind.
///
/// ```
/// use k8s_apimachinery::{api, object::Object, scheme::Gvk};
///
/// let event = serde_json::json!({"apiVersion": "v1", "kind": "Event", "message": "Started"});
/// let event = api::convert(Object::from_value(event).unwrap(), &Gvk::new("events.k8s.io", "v1", "Event"));
/// assert_eq!(event.str(&["note"]), Some("Started"));
/// ```
pub fn convert(mut object: Object, to: &Gvk) -> Object {
    let from = object.gvk();
    let (from, to_version) = (from.api_version(), to.api_version());
    let mut conversions = CONVERSIONS.iter();
    let found =
        conversions.find(|(a, b, kind, _)| *a == from && *b == to_version && *kind == to.kind);
    if let Some((_, _, _, edit)) = found {
        edit(&mut object);
    }
    object.set_gvk(to);
    object
}
