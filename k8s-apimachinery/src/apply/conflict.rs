//! Why a configuration can't be applied.

use std::fmt;

use super::manager::Entry;
use crate::apply::FieldSet;

/// A configuration can't be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Others own fields that it changes: 409 Conflict, unless forced.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// It can't be merged: 400 BadRequest.
    #[error("{0}")]
    Invalid(String),
}

/// One field that another manager owns. Each is a cause of the Status, with reason `FieldManagerConflict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who, as messages show it: `"kubectl" using apps/v1`.
    pub manager: String,
    /// Which: `.spec.replicas`.
    pub field: String,
}

/// All conflicts of one apply, at least one. Displayed as the Status' message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflict {
    /// The cause's message: `conflict with "kubectl" using apps/v1`.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

impl Conflicts {
    pub(super) fn add(&mut self, entry: &Entry, fields: &FieldSet) {
        let manager = entry.display();
        let conflict = |field| Conflict {
            manager: manager.clone(),
            field,
        };
        self.0.extend(fields.paths().into_iter().map(conflict));
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return write!(
                f,
                "Apply failed with 1 conflict: {}: {}",
                only.message(),
                only.field
            );
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut managers: Vec<&str> = self
            .0
            .iter()
            .map(|conflict| conflict.manager.as_str())
            .collect();
        managers.sort_unstable();
        managers.dedup();
        for (i, manager) in managers.into_iter().enumerate() {
            let line_break = if i > 0 { "\n" } else { "" };
            write!(f, "{line_break}conflicts with {manager}:")?;
            for conflict in self.0.iter().filter(|conflict| conflict.manager == manager) {
                write!(f, "\n- {}", conflict.field)?;
            }
        }
        Ok(())
    }
}
