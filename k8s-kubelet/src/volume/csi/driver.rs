//! The drivers that are known on the node.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::client::{Driver, DriverError};

/// The known drivers, by name.
#[derive(Debug, Default)]
pub struct Drivers {
    known: Mutex<BTreeMap<String, Driver>>,
}

impl Drivers {
    pub(super) fn get(&self, name: &str) -> Result<Driver, DriverError> {
        let known = self.known().get(name).cloned();
        known.ok_or_else(|| DriverError::Unknown(name.to_owned()))
    }

    /// Connects to a driver, which takes the place of an earlier one of its name.
    pub(super) async fn add(&self, name: &str, endpoint: &Path) -> Result<Driver, DriverError> {
        let driver = Driver::connect(endpoint).await?;
        self.known().insert(name.to_owned(), driver.clone());
        Ok(driver)
    }

    pub(super) fn remove(&self, name: &str) {
        self.known().remove(name);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Driver>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
