//! What objects cost of a namespace's quotas: decided here, once, for the server that charges and the controller that
//! counts.
//!
//! An [`Evaluator`] turns an object of its kind into a [`Footprint`]: what it uses, and which scopes it falls under.
//! [`charge`] holds footprints against [`Quota`]s when an object is written; [`release`] gives back what goes with an
//! object; [`count`] adds up what is there. All are plain functions: no clock, no I/O.
//!
//! ```
//! use k8s_apimachinery::{Object, quota::{Change, Evaluator, Quota, charge}};
//! use serde_json::json;
//!
//! let object = |value| Object::from_value(value).expect("an object");
//! let quota = Quota::read(&object(json!({
//!     "metadata": {"name": "few"},
//!     "spec": {"hard": {"secrets": "1"}},
//!     "status": {"hard": {"secrets": "1"}, "used": {"secrets": "1"}},
//! })));
//! let secrets = Evaluator::of("", "secrets").expect("secrets are counted");
//! let one = secrets.footprint(&object(json!({})), jiff::Timestamp::UNIX_EPOCH);
//! assert_eq!(
//!     charge(&[quota], &Change::create(&secrets, &one)).expect_err("there is one already"),
//!     "exceeded quota: few, requested: secrets=1, used: secrets=1, limited: secrets=1",
//! );
//! ```

mod charge;
mod count;
mod evaluator;
mod footprint;
mod persistent_volume_claim;
pub mod pod;
mod resource_claim;
mod scope;
mod service;

pub use charge::{Change, Charge, charge, release};
pub use count::count;
pub use evaluator::Evaluator;
pub use footprint::Footprint;
pub use scope::{Requirement, Scopes};

use crate::{Object, ResourceList};

/// A ResourceQuota, as far as counting goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// The limits that its owner wants: `spec.hard`.
    pub wanted: ResourceList,
    /// The limits that are in force: `status.hard`. They lag behind until somebody has counted.
    pub hard: ResourceList,
    /// What is used of them: `status.used`.
    pub used: ResourceList,
    /// What an object must be to be counted; all must hold.
    pub requirements: Vec<Requirement>,
}

impl Quota {
    /// Reads a `v1` `ResourceQuota`.
    pub fn read(object: &Object) -> Self {
        let list = |path: [&str; 2]| ResourceList::from_value(object.get(&path));
        Quota {
            name: object.name().to_owned(),
            wanted: list(["spec", "hard"]),
            hard: list(["status", "hard"]),
            used: list(["status", "used"]),
            requirements: scope::requirements(object),
        }
    }

    /// Whether objects with these scopes are counted here.
    pub fn covers(&self, scopes: &Scopes) -> bool {
        self.requirements.iter().all(|each| scopes.meet(each))
    }
}

#[cfg(test)]
mod testing {
    use serde_json::Value;

    use super::*;

    /// A tree from a literal.
    pub(super) fn object(value: Value) -> Object {
        Object::from_value(value).expect("a JSON object")
    }

    /// The footprint of an object at the epoch.
    pub(super) fn footprint(group: &str, plural: &str, value: Value) -> Footprint {
        let evaluator = Evaluator::of(group, plural).expect("a kind that is counted");
        evaluator.footprint(&object(value), jiff::Timestamp::UNIX_EPOCH)
    }
}
