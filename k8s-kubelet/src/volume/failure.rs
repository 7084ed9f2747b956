//! Why a pod's volumes aren't there, in Kubernetes' words.

use super::{VolumeError, desired::Kind};

/// A failure as the pod's events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Such as `FailedMount`.
    pub reason: &'static str,
    /// What failed, of which volume, and why.
    pub message: String,
}

impl Failure {
    /// A step with a volume that failed, such as `SetUp failed`.
    pub(super) fn of_step(step: &str, name: &str, kind: Kind, error: &VolumeError) -> Self {
        let (reason, what) = match kind {
            Kind::Filesystem => ("FailedMount", "MountVolume"),
            Kind::Block => ("FailedMapVolume", "MapVolume"),
        };
        Self {
            reason,
            message: format!("{what}.{step} for volume \"{name}\" : {error}"),
        }
    }

    /// A volume of which it can't be told yet what it is.
    pub(super) fn unprocessed(volume: &str, why: &str) -> Self {
        Self {
            reason: "FailedMount",
            message: format!(
                "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], \
                 failed to process volumes=[{volume}]: {why}"
            ),
        }
    }
}
