//! What Kubernetes knows about the shape of objects, as data, and what follows from it alone: reading bytes, pruning,
//! strict checking, the stored form.

pub mod gvk;

pub use gvk::{Gvk, Gvr};
