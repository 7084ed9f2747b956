//! `vol_data.json`: what is known of a driver's volume, beside where it is mounted, so that it can be taken down by an
//! agent that knows nothing else of it.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::path;
use crate::volume::desired::Device;

const FILE: &str = "vol_data.json";
const EPHEMERAL: &str = "Ephemeral";

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::volume) struct Data {
    #[serde(rename = "specVolID")]
    spec_name: String,
    volume_handle: String,
    driver_name: String,
    node_name: String,
    #[serde(rename = "attachmentID")]
    attachment: String,
    volume_lifecycle_mode: String,
    /// Whether somebody else attached the device to the node.
    pub(in crate::volume) is_attached: bool,
    /// The persistent volume, if no other pod may have it at the same time.
    pub(in crate::volume) alone: Option<String>,
    /// Whether all was done that there was to do.
    pub(in crate::volume) is_complete: bool,
}

impl Data {
    /// Of a persistent volume.
    pub(in crate::volume) fn new(spec_name: &str, device: &Device, node: &str) -> Self {
        Self {
            spec_name: spec_name.to_owned(),
            volume_handle: device.handle.clone(),
            driver_name: device.driver.clone(),
            node_name: node.to_owned(),
            attachment: path::attachment(device, node),
            volume_lifecycle_mode: "Persistent".to_owned(),
            ..Self::default()
        }
    }

    /// The same, of a volume that ends with its pod.
    pub(super) fn ephemeral(self) -> Self {
        Self {
            volume_lifecycle_mode: EPHEMERAL.to_owned(),
            ..self
        }
    }

    pub(in crate::volume) fn device(&self) -> Device {
        Device {
            driver: self.driver_name.clone(),
            handle: self.volume_handle.clone(),
        }
    }

    pub(in crate::volume) fn is_ephemeral(&self) -> bool {
        self.volume_lifecycle_mode == EPHEMERAL
    }

    /// Reads the file in a directory.
    pub(in crate::volume) fn load(dir: &Path) -> Option<Self> {
        let text = fs::read(dir.join(FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the file in a directory: all of it, or nothing new.
    pub(in crate::volume) fn save(&self, dir: &Path) -> io::Result<()> {
        let new = dir.join(format!("{FILE}.new"));
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, dir.join(FILE))
    }
}
