//! What Kubernetes knows about the shape of objects, as data, and what follows from it alone: reading bytes, pruning,
//! strict checking, the stored form.

pub mod codec;
pub mod gvk;
mod normalise;
mod path;
pub mod protobuf;
mod prune;
pub mod schema;
pub mod strict;
mod table;

pub use gvk::{Gvk, Gvr};
pub use normalise::{TypeError, TypeErrors, normalise};
pub use prune::prune;
pub use schema::Schema;
