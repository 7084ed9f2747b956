//! What was said so far, and what may not be said after it.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use k8s_store::{Page, Revision};

use crate::workload::{Step, WATCHED, WRITERS, Word};

/// All that is known of a store. Fed with every word, and with the state whenever there is one to be
/// had at rest.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The last step of each writer, up to `settled`.
    last: BTreeMap<u64, (Step, Revision)>,
    /// Up to here everything has been verified.
    settled: Revision,
    /// What has been acknowledged, and what each watcher has seen, since.
    acknowledged: BTreeMap<Revision, Step>,
    seen: [BTreeMap<Revision, Step>; WATCHED.len()],
    counts: Counts,
}

/// What was counted over the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Writes acknowledged.
    pub(crate) acknowledged: u64,
    /// Writes that nobody acknowledged, but that had been done.
    pub(crate) unacknowledged: u64,
    /// Writes refused.
    pub(crate) refused: u64,
    /// Events seen by all watchers.
    pub(crate) seen: u64,
}

impl Account {
    /// What every watcher has seen last.
    pub(crate) fn resume(&self) -> [Revision; WATCHED.len()] {
        self.seen
            .each_ref()
            .map(|seen| seen.keys().next_back().copied().unwrap_or(self.settled))
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a word down, if it can be true.
    pub(crate) fn hear(&mut self, word: Word) -> Result<()> {
        match word {
            Word::Acknowledged(step, at) => {
                ensure!(
                    at > self.settled,
                    "{step:?} got revision {at}, which was there before"
                );
                let other = self.acknowledged.insert(at, step);
                ensure!(
                    other.is_none(),
                    "{step:?} and {other:?} got the same revision {at}"
                );
                self.counts.acknowledged += 1;
            }
            Word::Refused(_) => self.counts.refused += 1,
            Word::Seen(watcher, step, at) => {
                let expected = self.resume()[watcher].next();
                ensure!(
                    at == expected,
                    "watcher {watcher} saw {step:?} at {at}, but {expected} was next"
                );
                self.seen[watcher].insert(at, step);
                self.counts.seen += 1;
            }
        }
        Ok(())
    }

    /// Compares all words with the state that is found, when nothing is under way and the watchers
    /// have seen all there is.
    pub(crate) fn settle(&mut self, page: &Page) -> Result<()> {
        let now = page.revision;
        for (watcher, at) in self.resume().into_iter().enumerate() {
            ensure!(
                at == now,
                "watcher {watcher} has seen {at}, the store is at {now}"
            );
        }
        let [everything, rest @ ..] = &self.seen;
        for seen in rest {
            ensure!(seen == everything, "watchers saw different things");
        }
        for (at, step) in &self.acknowledged {
            let found = everything.get(at);
            ensure!(
                found == Some(step),
                "{step:?} was acknowledged at {at}, where {found:?} is"
            );
        }
        for (at, step) in everything {
            let before = self.last.insert(step.writer, (*step, *at));
            let number = before.map_or(0, |(step, _)| step.number) + 1;
            ensure!(
                step.number == number,
                "{step:?} at {at} came behind {before:?}"
            );
        }
        self.compare(page)?;
        self.counts.unacknowledged += (everything.len() - self.acknowledged.len()) as u64;
        self.settled = now;
        self.acknowledged.clear();
        self.seen.iter_mut().for_each(BTreeMap::clear);
        Ok(())
    }

    /// Whether the state is what the last steps leave, to the byte.
    fn compare(&self, page: &Page) -> Result<()> {
        let mut expected = BTreeMap::new();
        for (step, at) in (0..WRITERS).filter_map(|writer| self.last.get(&writer)) {
            for (key, value) in step.state() {
                if let Some(value) = value {
                    expected.insert(key, (value, *at));
                }
            }
        }
        let found = page.items.iter();
        let found = found.map(|kv| (kv.key.clone(), (kv.value.clone(), kv.modified)));
        let found: BTreeMap<_, _> = found.collect();
        for key in expected.keys().chain(found.keys()) {
            let (expected, found) = (expected.get(key), found.get(key));
            ensure!(
                expected == found,
                "{key:?} is {found:?} instead of {expected:?}"
            );
        }
        Ok(())
    }
}
