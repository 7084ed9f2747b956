#![doc = include_str!("../README.md")]

pub mod backoff;
mod clock;
mod context;
mod controller;
mod error;
mod event;
mod expectation;
mod hub;
pub mod index;
mod informer;
mod key;
mod leader;
mod manager;
mod object;
mod queue;
mod source;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock, TokioClock};
pub use context::Context;
pub use controller::{Action, Controller, work};
pub use error::Error;
pub use event::{EventRecorder, EventType, reference};
pub use expectation::Expectations;
pub use hub::Hub;
pub use informer::{Event, Informer, Subscription};
pub use key::Key;
pub use leader::{LeaderElector, LeaseConfig};
pub use manager::Manager;
pub use object::{Object, Watched};
pub use queue::Queue;
pub use source::{Sink, Source, WatchConfig};
pub use store::Store;
