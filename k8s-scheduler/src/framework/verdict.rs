//! What a plugin says.

use std::{fmt, time::Duration};

/// A plugin's answer at any extension point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Success,
    /// Not now: removing other pods might help.
    Unschedulable {
        /// In the words that users read, such as `Insufficient cpu`.
        reasons: Vec<String>,
    },
    /// Not here, whatever else runs on the node.
    UnschedulableUnresolvable {
        /// In the words that users read.
        reasons: Vec<String>,
    },
    /// Permit only: hold the pod until it is allowed, at most this long.
    Wait(Duration),
    /// This plugin has nothing to do for this pod; for a Bind plugin: let the next one bind.
    Skip,
    /// The plugin itself failed; the pod is tried again.
    Error(String),
}

impl Verdict {
    /// A rejection that removing pods might lift, for one reason.
    pub fn unschedulable(reason: impl Into<String>) -> Self {
        Self::Unschedulable {
            reasons: vec![reason.into()],
        }
    }

    /// A rejection that removing pods can't lift, for one reason.
    pub fn unresolvable(reason: impl Into<String>) -> Self {
        Self::UnschedulableUnresolvable {
            reasons: vec![reason.into()],
        }
    }

    /// [`Verdict::Success`] when there are no reasons, else [`Verdict::Unschedulable`].
    pub fn from_reasons(reasons: Vec<String>) -> Self {
        if reasons.is_empty() {
            Self::Success
        } else {
            Self::Unschedulable { reasons }
        }
    }

    /// Whether the pod may go on: success, or nothing to say.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success | Self::Skip)
    }

    /// Whether the pod was turned away (as opposed to the plugin having failed).
    pub fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Unschedulable { .. } | Self::UnschedulableUnresolvable { .. }
        )
    }

    /// Why it was not a success; empty otherwise.
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Unschedulable { reasons } | Self::UnschedulableUnresolvable { reasons } => {
                reasons
            }
            Self::Error(message) => std::slice::from_ref(message),
            Self::Success | Self::Wait(_) | Self::Skip => &[],
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Skip => f.write_str("skip"),
            Self::Wait(limit) => write!(f, "wait {limit:?}"),
            _ => f.write_str(&self.reasons().join(", ")),
        }
    }
}
