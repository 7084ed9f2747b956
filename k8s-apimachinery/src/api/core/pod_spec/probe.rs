//! Probes of containers: liveness, readiness, startup.

use serde_json::{Map, Value};

use super::handler;
use crate::api::edit::Edit;
use crate::api::field::Field;

/// Fields of a container that hold probes.
pub(super) const NAMES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];
const NUMBERS: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];

/// Fills in one probe.
pub(super) fn default(probe: &mut Map<String, Value>) {
    probe.fill_zero("timeoutSeconds", 1);
    probe.fill_zero("periodSeconds", 10);
    probe.fill_zero("successThreshold", 1);
    probe.fill_zero("failureThreshold", 3);
    handler::default(probe);
}

/// Checks a container's probes.
pub(super) fn check(container: &Field) {
    for name in NAMES {
        let probe = container.get(name);
        if !probe.is_set() {
            continue;
        }
        handler::check_probe(&probe);
        for number in NUMBERS {
            probe.get(number).must_not_be_negative();
        }
        let grace = probe.get("terminationGracePeriodSeconds");
        grace.must_be_positive();
        if name == "readinessProbe" {
            if grace.is_set() {
                grace.invalid("must not be set for readinessProbes");
            }
        } else if probe.get("successThreshold").int().is_some_and(|n| n != 1) {
            probe.get("successThreshold").invalid("must be 1");
        }
    }
}
