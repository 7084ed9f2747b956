#![doc = include_str!("../README.md")]

pub mod admission;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod body;
mod builder;
mod client;
pub mod config;
pub mod error;
pub mod flow;
pub mod handler;
pub mod health;
pub mod layer;
mod live;
pub mod metrics;
mod pipe;
pub mod pki;
pub mod registry;
pub mod routing;
pub mod server;
pub mod stack;
pub mod status;
pub mod task;
pub mod tls;
pub mod user;
pub mod version;

pub use body::{Body, BoxError, Request, Response};
pub use builder::Builder;
pub use error::ApiError;
pub use layer::request_info::{RequestInfo, Verb};
pub use server::ApiServer;
pub use user::User;
