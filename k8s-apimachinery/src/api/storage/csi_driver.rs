//! CSIDriver: what a driver of volumes needs, and can do.

use std::collections::HashSet;

use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `storage.k8s.io/v1` `CSIDriver`.
pub struct CsiDriver;

impl Rules for CsiDriver {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("attachRequired", true);
        for flag in [
            "podInfoOnMount",
            "storageCapacity",
            "requiresRepublish",
            "seLinuxMount",
        ] {
            spec.fill(flag, false);
        }
        spec.fill("fsGroupPolicy", "ReadWriteOnceWithFSType");
        if !spec.contains_key("volumeLifecycleModes") {
            spec.insert("volumeLifecycleModes".to_owned(), vec!["Persistent"].into());
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        const FS_GROUP_POLICIES: [&str; 3] = ["File", "None", "ReadWriteOnceWithFSType"];
        let policy = spec.get("fsGroupPolicy");
        if policy.is_set() && !FS_GROUP_POLICIES.contains(&policy.str()) {
            policy.unsupported(&FS_GROUP_POLICIES);
        }
        check_tokens(&spec.get("tokenRequests"));
        let modes = spec.get("volumeLifecycleModes");
        for mode in modes.items() {
            if !matches!(mode.str(), "Persistent" | "Ephemeral") {
                modes
                    .holding(&mode)
                    .unsupported(&["Persistent", "Ephemeral"]);
            }
        }
        let period = spec.get("nodeAllocatableUpdatePeriodSeconds");
        if period.int().is_some_and(|seconds| seconds < 10) {
            period.invalid("must be greater than or equal to 10 seconds");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        // Kubernetes misspells the first one's path.
        spec.get("attachedRequired")
            .holding(&spec.get("attachRequired"))
            .must_not_change(&old.get("attachRequired"));
        spec.get("volumeLifecycleModes")
            .must_not_change(&old.get("volumeLifecycleModes"));
    }
}

fn check_tokens(requests: &Field) {
    let mut audiences = HashSet::new();
    for request in requests.items() {
        let (audience, expiration) = (request.get("audience"), request.get("expirationSeconds"));
        if !audiences.insert(audience.str()) {
            audience.duplicate_value(audience.str());
            continue;
        }
        match expiration.int() {
            Some(seconds) if seconds < 10 * 60 => {
                expiration.invalid("may not specify a duration less than 10 minutes")
            }
            Some(seconds) if seconds > 1 << 32 => {
                expiration.invalid("may not specify a duration larger than 2^32 seconds");
            }
            _ => {}
        }
    }
}
