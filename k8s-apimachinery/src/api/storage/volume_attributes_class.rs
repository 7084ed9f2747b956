//! VolumeAttributesClass: properties of volumes that may change while they are used.

use super::parameter::{self, check_provisioner, must_stay};
use crate::api::{Field, NameRule, Rules};

/// Rules of `storage.k8s.io/v1` `VolumeAttributesClass`.
pub struct VolumeAttributesClass;

impl Rules for VolumeAttributesClass {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        check_provisioner(&object.get("driverName"));
        let parameters = object.get("parameters");
        parameter::check(&parameters);
        if parameters.is_empty() {
            parameters.required("must contain at least one key/value pair");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        must_stay(new, old, "driverName");
        must_stay(new, old, "parameters");
    }
}
