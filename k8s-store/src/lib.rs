#![doc = include_str!("../README.md")]

mod error;
mod revision;
mod store;

pub use error::StoreError;
pub use revision::Revision;
pub use store::{
    Compare, Event, KeyValue, Op, Page, Range, Store, Txn, TxnOutcome, WatchItem, WatchStream,
};
