//! The engine for when one machine is not enough: real etcd, 3.4 to 3.6, through `etcd-client`.
//!
//! ```text
//! get, range, commit -> a server of the cluster; the next one if it doesn't answer
//! watch              -> one stream, begun anew elsewhere behind the last revision delivered
//! put with a time    -> a lease, shared with the keys whose time ends at about the same moment
//! ```
//!
//! All reads are linearizable. Several processes may use one etcd: one of them compacts history. A
//! transaction is sent again only if it is certain that no server has taken it; else its fate is
//! [`StoreError::Unconfirmed`](crate::StoreError::Unconfirmed).
//!
//! etcd begins at revision 1, and its one clock counts what others write under other prefixes too, so
//! revisions have gaps for whoever sees one prefix.

mod compact;
mod engine;
mod fault;
mod lease;
mod options;
mod range;
mod servers;
mod transaction;
mod version;
mod watch;

pub use engine::EtcdStore;
pub use options::{EtcdOptions, Password, Tls};
