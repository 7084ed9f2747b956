//! What `kubectl get` prints: columns with their priority, and the cells of a row.
//!
//! The server renders rows (`meta.k8s.io/v1` `Table`), so that every client shows the same columns.
//! Which columns a kind has is decided beside the kind; here is only what they are made of.

mod column;
mod row;

pub use column::ColumnDefinition;
pub use row::{age, age_of, human_duration, list_or_none, text_or};
