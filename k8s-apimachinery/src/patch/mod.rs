//! The three kinds of patch that the API takes beside server-side apply.
//!
//! A patch is applied to the tree in the version that the client speaks; what comes out is yet to be pruned, normalised,
//! defaulted and validated. After an error the tree is not to be used.

pub mod json;
pub mod merge;
pub mod strategic;

/// A patch can't be applied. The messages follow Kubernetes'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The patch itself is wrong: 400 BadRequest.
    #[error("{0}")]
    Malformed(String),
    /// The patch doesn't fit the object: 422 Invalid.
    #[error("{0}")]
    NotApplicable(String),
    /// More operations than [`json::MAX_OPERATIONS`]: 413 RequestEntityTooLarge.
    #[error("The allowed maximum operations in a JSON patch is {max}, got {found}", max = json::MAX_OPERATIONS)]
    TooManyOperations {
        /// How many there are.
        found: usize,
    },
}
