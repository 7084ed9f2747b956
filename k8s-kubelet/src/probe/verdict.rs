//! What probes have found out about a pod's containers.

use std::collections::HashMap;

/// The probes that can end a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// The startup probe.
    Startup,
    /// The liveness probe.
    Liveness,
}

impl Fatal {
    /// As events call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
        }
    }
}

/// The findings about one run of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The startup probe has succeeded, or there is none.
    pub is_started: bool,
    /// The readiness probe succeeds, or there is none.
    pub is_ready: bool,
    /// A probe wants the container ended.
    pub fatal: Option<Fatal>,
}

impl Default for Verdict {
    /// What holds for a container without probes.
    fn default() -> Self {
        Self {
            is_started: true,
            is_ready: true,
            fatal: None,
        }
    }
}

/// Findings by runtime container id; containers without probes are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(pub HashMap<String, Verdict>);

impl Verdicts {
    /// The findings about a container.
    pub fn of(&self, id: &str) -> Verdict {
        self.0.get(id).copied().unwrap_or_default()
    }
}
