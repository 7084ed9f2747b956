//! Defaulting and validation, kind by kind.
pub mod edit;
pub mod error;
pub mod field;
