//! An event that a plan asks for.

use k8s_runtime::EventType;

/// What users shall read about a claim or a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) sort: EventType,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Note {
    pub(super) fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            sort: EventType::Normal,
            reason,
            message: message.into(),
        }
    }

    pub(super) fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            sort: EventType::Warning,
            reason,
            message: message.into(),
        }
    }
}
