#![doc = include_str!("../README.md")]

pub mod api;
pub mod apply;
pub mod int_or_string;
pub mod ip;
mod meta;
pub mod name;
pub mod object;
pub mod patch;
pub mod pod;
pub mod pod_security;
pub mod quantity;
pub mod quota;
mod resource_list;
pub mod resource_name;
pub mod scheme;
pub mod selector;
pub mod status;
pub mod table;
pub mod time;
pub mod volume;

pub use int_or_string::IntOrString;
pub use meta::OwnerReference;
pub use object::{Map, NotAnObject, Object, Value};
pub use quantity::Quantity;
pub use resource_list::ResourceList;
