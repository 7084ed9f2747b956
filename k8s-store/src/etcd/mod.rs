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
//! ```no_run
//! # async fn connect() -> Result<(), k8s_store::StoreError> {
//! use k8s_store::{Store, etcd::{EtcdOptions, EtcdStore}};
//!
//! let options = EtcdOptions::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]);
//! let store = EtcdStore::connect(options).await?;
//! println!("at revision {}", store.current().await?);
//! # Ok(())
//! # }
//! ```
//!
//! etcd begins at revision 1, and its one clock counts what others write under other prefixes too, so
//! revisions have gaps for whoever sees one prefix. A user of etcd's own authentication needs to read and
//! write its keys, to read `/registry/health`, which tells the current revision, and, if it is to
//! compact, to write `compact_rev_key`.

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
