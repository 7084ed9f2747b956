//! The three languages of patches: RFC 6902 ([`json`]), RFC 7386 ([`merge`]) and Kubernetes' own
//! ([`strategic`]). All work on trees and are pure; a patch that fails may leave its target half
//! changed, so callers patch a copy.

pub mod json;
pub mod merge;
pub mod strategic;

/// Why a patch can't be applied.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The document is no patch of its language.
    #[error("{0}")]
    Malformed(String),
    /// The document is a patch, but not one that fits the object: a missing path, a failed test.
    #[error("{0}")]
    Unfit(String),
    /// Applying it would take more memory than any object may.
    #[error("{0}")]
    TooLarge(String),
}
