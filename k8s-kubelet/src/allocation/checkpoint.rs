//! A pod's allocation on disk: what it was promised, and what its containers were given.
//!
//! One file in the pod's own directory, so that a write costs the same however many pods there are, and
//! the file goes with the pod. A file that can't be read counts as none: then the spec is the promise.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Claims;
use crate::pod::resize::Actuated;

const FILE: &str = "allocation.json";

/// The place of one pod's allocation.
pub(crate) struct Checkpoint(PathBuf);

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What the pod was promised.
    pub(crate) allocated: Option<Claims>,
    /// What its containers were given.
    #[serde(default)]
    pub(crate) actuated: Actuated,
}

impl Checkpoint {
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self(dir.join(FILE))
    }

    pub(crate) fn read(&self) -> Kept {
        let bytes = fs::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    pub(super) fn set_allocated(&self, allocated: Claims) -> io::Result<()> {
        self.write(&Kept {
            allocated: Some(allocated),
            ..self.read()
        })
    }

    pub(crate) fn set_actuated(&self, actuated: Actuated) -> io::Result<()> {
        self.write(&Kept {
            actuated,
            ..self.read()
        })
    }

    /// Readers see the old or the new, never a part.
    fn write(&self, kept: &Kept) -> io::Result<()> {
        if let Some(dir) = self.0.parent() {
            fs::create_dir_all(dir)?;
        }
        let draft = self.0.with_extension("draft");
        fs::write(&draft, serde_json::to_vec(kept)?)?;
        fs::rename(&draft, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ResourceRequirements;

    use super::*;

    #[test]
    fn both_parts_are_kept_and_what_is_broken_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::in_dir(&dir.path().join("u"));
        assert_eq!(checkpoint.read(), Kept::default());
        let one = Claims::from([("c".to_owned(), ResourceRequirements::default())]);
        checkpoint.set_allocated(one.clone()).unwrap();
        checkpoint.set_actuated(one.clone()).unwrap();
        let kept = Kept {
            allocated: Some(one.clone()),
            actuated: one,
        };
        assert_eq!(checkpoint.read(), kept);
        fs::write(&checkpoint.0, "{\"alloc").unwrap();
        assert_eq!(checkpoint.read(), Kept::default());
    }
}
