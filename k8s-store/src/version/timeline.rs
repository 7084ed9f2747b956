//! The present as a [`Tree`], and how it came about as a list of changes.
//!
//! Engines and the watch cache alike keep one. The state at an older revision is the present with
//! the changes since then undone; a watch is a position in the list.

use std::{collections::VecDeque, mem, sync::Arc};

use super::tree::{Keyed, Tree};
use crate::{Revision, StoreError};

/// What happened to one key in one transaction. At least one side is present.
#[derive(Debug)]
pub(crate) struct Change<T> {
    pub(crate) revision: Revision,
    pub(crate) current: Option<Arc<T>>,
    pub(crate) previous: Option<Arc<T>>,
}

impl<T: Keyed> Change<T> {
    pub(crate) fn key(&self) -> &[u8] {
        self.current
            .as_ref()
            .or(self.previous.as_ref())
            .expect("a change has a side")
            .key()
    }
}

/// Changes are numbered without gaps, so that a watcher's position stays valid while old ones go.
pub(crate) type Sequence = u64;

/// The published state and the changes retained.
pub(crate) struct Timeline<T> {
    tree: Tree<T>,
    current: Revision,
    changes: VecDeque<Arc<Change<T>>>,
    /// The number of `changes[0]`.
    first: Sequence,
    /// Every change after this revision is in `changes`, none before.
    floor: Revision,
}

/// The next state, prepared aside: nobody sees it until it is published.
pub(crate) struct Draft<T> {
    pub(crate) tree: Tree<T>,
    pub(crate) revision: Revision,
    pub(crate) changes: Vec<Arc<Change<T>>>,
}

impl<T: Keyed> Timeline<T> {
    /// Starts with a state whose past is unknown.
    pub(crate) fn new(tree: Tree<T>, revision: Revision) -> Self {
        Timeline {
            tree,
            current: revision,
            changes: VecDeque::new(),
            first: 0,
            floor: revision,
        }
    }

    pub(crate) fn current(&self) -> Revision {
        self.current
    }

    /// The oldest revision that can be read, and watched from.
    pub(crate) fn floor(&self) -> Revision {
        self.floor
    }

    pub(crate) fn tree(&self) -> &Tree<T> {
        &self.tree
    }

    /// How many changes are retained.
    pub(crate) fn depth(&self) -> usize {
        self.changes.len()
    }

    /// The number that the next change will get.
    pub(crate) fn end(&self) -> Sequence {
        self.first + self.changes.len() as u64
    }

    pub(crate) fn draft(&self) -> Draft<T> {
        Draft {
            tree: self.tree.clone(),
            revision: self.current,
            changes: Vec::new(),
        }
    }

    /// Like [`Timeline::draft`], but takes the state along instead of sharing it, which spares the
    /// copying. Until the draft is published the timeline is empty: for its only user.
    pub(crate) fn take_draft(&mut self) -> Draft<T> {
        let tree = mem::take(&mut self.tree);
        Draft {
            tree,
            revision: self.current,
            changes: Vec::new(),
        }
    }

    /// Makes a draft of this very state the present. Returns the number of its first change.
    pub(crate) fn publish(&mut self, draft: Draft<T>) -> Sequence {
        let start = self.end();
        self.tree = draft.tree;
        self.current = draft.revision;
        self.changes.extend(draft.changes);
        start
    }

    /// Forgets changes up to and including a revision.
    pub(crate) fn forget(&mut self, upto: Revision) {
        self.floor = self.floor.max(upto.min(self.current));
        let gone = self
            .changes
            .partition_point(|change| change.revision <= self.floor);
        self.changes.drain(..gone);
        self.first += gone as u64;
    }

    /// The revision to forget so that no more than `limit` changes stay.
    pub(crate) fn excess(&self, limit: usize) -> Option<Revision> {
        let excess = self.changes.len().checked_sub(limit)?.checked_sub(1)?;
        Some(self.changes[excess].revision)
    }

    /// Replaces everything by a state whose past is unknown; all positions before it are lost.
    pub(crate) fn reset(&mut self, tree: Tree<T>, revision: Revision) {
        self.first = self.end() + 1;
        self.changes.clear();
        self.tree = tree;
        self.current = revision;
        self.floor = revision;
    }

    /// Whether the state and the changes after a revision can be told.
    pub(crate) fn check(&self, revision: Revision) -> Result<(), StoreError> {
        if revision < self.floor {
            return Err(StoreError::Compacted {
                requested: revision,
                compacted: self.floor,
            });
        }
        if revision > self.current {
            return Err(StoreError::Future {
                requested: revision,
                current: self.current,
            });
        }
        Ok(())
    }

    /// The number of the first change after a revision.
    pub(crate) fn after(&self, revision: Revision) -> Result<Sequence, StoreError> {
        self.check(revision)?;
        let index = self
            .changes
            .partition_point(|change| change.revision <= revision);
        Ok(self.first + index as u64)
    }

    /// The changes from a position on, or `None` if some of them are gone.
    pub(crate) fn since(&self, start: Sequence) -> Option<impl Iterator<Item = &Arc<Change<T>>>> {
        let index = usize::try_from(start.checked_sub(self.first)?).ok()?;
        Some(self.changes.range(index.min(self.changes.len())..))
    }

    /// What it takes to tell the state under a prefix at a revision: the present, and the changes
    /// to undo. Cheap, so that [`Past::tree`] can do the work without a lock.
    pub(crate) fn past(&self, revision: Revision, prefix: &[u8]) -> Result<Past<T>, StoreError> {
        let start = self.after(revision)?;
        let undo = self.since(start).into_iter().flatten();
        let undo = undo
            .filter(|change| change.key().starts_with(prefix))
            .cloned()
            .collect();
        Ok(Past {
            present: self.tree.clone(),
            undo,
        })
    }
}

/// A state on the way back.
pub(crate) struct Past<T> {
    present: Tree<T>,
    undo: Vec<Arc<Change<T>>>,
}

impl<T: Keyed> Past<T> {
    /// The tree as it was under the prefix asked for; elsewhere it may be newer.
    pub(crate) fn tree(self) -> Tree<T> {
        let mut tree = self.present;
        for change in self.undo.iter().rev() {
            match &change.previous {
                Some(previous) => drop(tree.insert(Arc::clone(previous))),
                None => drop(tree.remove(change.key())),
            }
        }
        tree
    }
}

impl<T: Keyed> Draft<T> {
    /// Writes one key at the draft's revision.
    pub(crate) fn put(&mut self, item: Arc<T>) {
        let previous = self.tree.insert(Arc::clone(&item));
        self.record(Some(item), previous);
    }

    /// Removes one key at the draft's revision, if it is there.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        if let Some(previous) = self.tree.remove(key) {
            self.record(None, Some(previous));
        }
    }

    fn record(&mut self, current: Option<Arc<T>>, previous: Option<Arc<T>>) {
        self.changes.push(Arc::new(Change {
            revision: self.revision,
            current,
            previous,
        }));
    }
}
