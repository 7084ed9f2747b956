#![doc = include_str!("../README.md")]

pub mod cache;
pub mod embedded;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod memory;
mod revision;
mod store;
pub mod testing;
mod version;

pub use error::StoreError;
pub use revision::Revision;
pub use store::{
    Compare, Event, KeyValue, Op, Page, Range, Store, Txn, TxnOutcome, WatchItem, WatchStream,
};
pub use version::retention::Retention;
