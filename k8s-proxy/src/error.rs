//! What can go wrong between rules and kernel.

use std::io;

/// Why rules could not be applied.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing or can't be started.
    #[error("cannot run {program}")]
    Spawn {
        /// Which one.
        program: &'static str,
        /// The system's reason.
        #[source]
        error: io::Error,
    },
    /// A program refused: no rights, or rules that this kernel can't hold.
    #[error("{program} failed: {detail}")]
    Failed {
        /// Which one.
        program: &'static str,
        /// What it printed.
        detail: String,
    },
}
