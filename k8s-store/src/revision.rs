//! The one clock: every committed transaction advances it by one, as in etcd.

use std::fmt;

/// A point in the store's history. `Revision::ZERO` is before anything was written; the first
/// committed transaction makes revision 1. All operations of one transaction share its revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first write.
    pub const ZERO: Revision = Revision(0);

    /// The revision that the next committed transaction gets.
    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
