//! CSIStorageCapacity: how much more a class of storage can give to a part of the cluster.

use crate::api::selector::check_label_selector;
use crate::api::{Field, NameRule, Rules};
use crate::name;
use crate::quantity::Quantity;

/// Rules of `storage.k8s.io/v1` `CSIStorageCapacity`.
pub struct CsiStorageCapacity;

impl Rules for CsiStorageCapacity {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn check(&self, object: &Field) {
        check_label_selector(&object.get("nodeTopology"));
        let class = object.get("storageClassName");
        for message in name::dns1123_subdomain(class.str()) {
            class.invalid_value(class.str(), message);
        }
        let capacity = object.get("capacity");
        let quantity = capacity.str().parse::<Quantity>();
        if quantity.is_ok_and(|quantity| quantity.is_negative()) {
            capacity.invalid("must be greater than or equal to 0");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        for field in ["nodeTopology", "storageClassName"] {
            new.get(field).must_not_change(&old.get(field));
        }
    }
}
