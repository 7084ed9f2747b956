//! Choosing objects: by labels, by fields.

pub mod field;
pub mod label;

pub use field::FieldSelector;
pub use label::LabelSelector;
