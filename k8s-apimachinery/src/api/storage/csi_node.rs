//! CSINode: the drivers of volumes on a node.

use std::collections::HashSet;

use crate::api::core::persistent_volume::check_driver_name;
use crate::api::{Field, IMMUTABLE, NameRule, Rules};
use crate::name;

/// Rules of `storage.k8s.io/v1` `CSINode`.
pub struct CsiNode;

const MAX_NODE_ID: usize = 256;

impl Rules for CsiNode {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let drivers = spec.get("drivers");
        let mut names = HashSet::new();
        for driver in drivers.items() {
            check_driver(&driver);
            let name = driver.get("name");
            if !names.insert(name.str()) {
                name.duplicate_value(name.str());
            }
            check_topology(&driver);
        }
    }

    /// Drivers come and go; of one that stays only the number of volumes may change.
    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old_spec) = (new.get("spec"), old.get("spec"));
        let (drivers, old_drivers) = (spec.get("drivers"), old_spec.get("drivers"));
        for driver in drivers.items() {
            let is_same = |old: &Field| old.get("name").same_as(&driver.get("name"));
            let Some(old) = old_drivers.items().find(is_same) else {
                continue;
            };
            if !["nodeID", "topologyKeys"]
                .iter()
                .all(|field| driver.get(field).same_as(&old.get(field)))
            {
                drivers.holding(&driver).invalid(IMMUTABLE);
            }
        }
    }
}

fn check_driver(driver: &Field) {
    check_driver_name(&driver.get("name"));
    let node_id = driver.get("nodeID");
    if node_id.must_be_set() && node_id.str().len() > MAX_NODE_ID {
        node_id.invalid("must be 256 characters or less");
    }
    let allocatable = driver.get("allocatable");
    allocatable.get("count").must_not_be_negative();
}

fn check_topology(driver: &Field) {
    let mut keys = HashSet::new();
    for key in driver.get("topologyKeys").items() {
        if key.is_empty() {
            driver.required("");
        }
        if !keys.insert(key.str()) {
            driver.duplicate_value(key.str());
        }
        for message in name::qualified_name(key.str()) {
            driver.invalid_value(key.str(), message);
        }
    }
}
