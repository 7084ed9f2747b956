#![doc = include_str!("../README.md")]

// mod admission;
// mod handler;
// mod registry;
// mod routing;
pub mod authn;
pub mod authz;
pub mod body;
pub mod error;
pub mod layer;
pub mod status;
pub mod user;

pub use body::{Body, BoxError, Request, Response};
pub use error::ApiError;
pub use layer::request_info::{RequestInfo, Verb};
pub use user::User;
