//! How long history is kept: by age, and never more than a number of changes.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::{timeline::Timeline, tree::Keyed};
use crate::Revision;

/// What history to keep. Whatever exceeds one of the limits is forgotten with the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Changes are kept for so long; `Duration::MAX` for ever.
    pub age: Duration,
    /// At most about so many changes are kept, so that memory stays bounded under a write storm.
    pub changes: usize,
}

impl Retention {
    /// Forget nothing until told to.
    pub const UNLIMITED: Retention = Retention {
        age: Duration::MAX,
        changes: usize::MAX,
    };
}

impl Default for Retention {
    /// Five minutes, as Kubernetes asks of etcd, and at most 50,000 changes.
    fn default() -> Self {
        Retention {
            age: Duration::from_secs(300),
            changes: 50_000,
        }
    }
}

/// Remembers, at a coarse grain, when which revision was current.
#[derive(Debug)]
pub(crate) struct Clock {
    keep: Retention,
    marks: VecDeque<(Instant, Revision)>,
}

impl Clock {
    pub(crate) fn new(keep: Retention) -> Self {
        Clock {
            keep,
            marks: VecDeque::new(),
        }
    }

    /// Notes that `timeline` has just advanced and says up to where it may forget.
    pub(crate) fn tick<T: Keyed>(&mut self, timeline: &Timeline<T>) -> Option<Revision> {
        // Trimming in steps spares most writes the work.
        let slack = self.keep.changes / 16;
        let excess = timeline
            .excess(self.keep.changes)
            .and_then(|_| timeline.excess(self.keep.changes - slack));
        excess.max(self.expired(timeline.current()))
    }

    fn expired(&mut self, current: Revision) -> Option<Revision> {
        if self.keep.age == Duration::MAX {
            return None;
        }
        let now = Instant::now();
        if self
            .marks
            .back()
            .is_none_or(|(at, _)| now - *at >= self.keep.age / 16)
        {
            self.marks.push_back((now, current));
        }
        let mut expired = None;
        while let Some((at, revision)) = self.marks.front()
            && now - *at > self.keep.age
        {
            expired = Some(*revision);
            self.marks.pop_front();
        }
        expired
    }
}
