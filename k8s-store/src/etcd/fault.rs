//! What a failed call says: whether it was done, and whether another server may do better.

use std::{error::Error as _, io};

use etcd_client::Error;
use tonic::{Code, Status};

use crate::{Revision, StoreError};

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was not done; another server, or the same one later, may do it.
    Elsewhere(String),
    /// It was done or not.
    Unknown(String),
    /// The revision asked for is compacted.
    Compacted,
    /// The revision asked for is yet to come.
    Future,
    /// The lease to attach to has ended. Nothing was done.
    LeaseGone,
    /// The cluster's final word.
    Refused(StoreError),
}

impl Fault {
    /// For calls that only read: it doesn't matter whether they were done.
    pub(super) fn of_read(self) -> StoreError {
        match self {
            Fault::Unknown(detail) => StoreError::Unavailable { detail },
            fault => fault.of_write(),
        }
    }

    /// For calls that change something. Revisions are for the caller to fill in, who knows them.
    pub(super) fn of_write(self) -> StoreError {
        match self {
            Fault::Elsewhere(detail) => StoreError::Unavailable { detail },
            Fault::Unknown(detail) => StoreError::Unconfirmed { detail },
            Fault::Compacted => StoreError::Compacted {
                requested: Revision::ZERO,
                compacted: Revision::ZERO,
            },
            Fault::Future => StoreError::Future {
                requested: Revision::ZERO,
                current: Revision::ZERO,
            },
            Fault::LeaseGone => StoreError::Unavailable {
                detail: "the lease has ended".to_owned(),
            },
            Fault::Refused(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::GRpcStatus(status) => judge(status),
            Error::TransportError(_) | Error::IoError(_) => Fault::Elsewhere(chain(&error)),
            Error::WatchError(_) | Error::Internal(_) => Fault::Unknown(error.to_string()),
            _ => refused(error.to_string()),
        }
    }
}

/// Messages are those of etcd's `api/v3rpc/rpctypes`, which clients tell errors apart by.
fn judge(status: &Status) -> Fault {
    let says = |text: &str| status.message().contains(text);
    let detail = || status.message().to_owned();
    match status.code() {
        Code::OutOfRange if says("revision has been compacted") => Fault::Compacted,
        Code::OutOfRange if says("is a future revision") => Fault::Future,
        Code::NotFound if says("requested lease not found") => Fault::LeaseGone,
        Code::ResourceExhausted if says("database space exceeded") => {
            Fault::Refused(StoreError::Full {
                path: "etcd".into(),
            })
        }
        Code::ResourceExhausted if says("too many requests") => Fault::Elsewhere(detail()),
        Code::Unavailable if says("no leader") || was_not_sent(status) => {
            Fault::Elsewhere(chain(status))
        }
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::Internal
        | Code::Unknown => Fault::Unknown(chain(status)),
        _ => refused(detail()),
    }
}

fn refused(detail: String) -> Fault {
    Fault::Refused(StoreError::Refused { detail })
}

/// Whether there was no connection to send it on.
fn was_not_sent(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        let refused = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable,
        ) = refused
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// An error with its causes: the outermost alone is but "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: Code, message: &str, expected: &str) {
        let fault = Fault::from(Error::GRpcStatus(Status::new(code, message)));
        let kind = format!("{fault:?}");
        assert!(kind.starts_with(expected), "{message}: {kind}");
    }

    #[test]
    fn a_transaction_is_sent_again_only_if_no_server_has_taken_it() {
        check(Code::Unavailable, "etcdserver: no leader", "Elsewhere");
        check(
            Code::ResourceExhausted,
            "etcdserver: too many requests",
            "Elsewhere",
        );
        check(
            Code::Unavailable,
            "etcdserver: request timed out",
            "Unknown",
        );
        check(Code::Unavailable, "etcdserver: leader changed", "Unknown");
        check(Code::Unavailable, "etcdserver: server stopped", "Unknown");
        check(Code::Unknown, "h2 protocol error: broken pipe", "Unknown");
        let connect = io::Error::from(io::ErrorKind::ConnectionRefused);
        let mut status = Status::from_error(Box::new(connect));
        assert!(was_not_sent(&status));
        status = Status::unavailable(status.message());
        assert!(!was_not_sent(&status));
    }

    #[test]
    fn the_clusters_word_is_final() {
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        check(Code::OutOfRange, compacted, "Compacted");
        let future = "etcdserver: mvcc: required revision is a future revision";
        check(Code::OutOfRange, future, "Future");
        let full = "etcdserver: mvcc: database space exceeded";
        check(Code::ResourceExhausted, full, "Refused(Full");
        check(
            Code::PermissionDenied,
            "etcdserver: permission denied",
            "Refused(Refused",
        );
        check(
            Code::InvalidArgument,
            "etcdserver: request is too large",
            "Refused(Refused",
        );
        check(
            Code::NotFound,
            "etcdserver: requested lease not found",
            "LeaseGone",
        );
    }
}
