//! Which watchers a change may concern, found without asking each of them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    Bucket, Codec,
    inbox::{CacheChange, Inbox},
};
use crate::{StoreError, version::timeline::Sequence};

/// The watchers of a cache by prefix, then by bucket. Ordered, so that the same run twice wakes
/// them in the same order.
pub(super) struct Registry<E> {
    groups: BTreeMap<Bytes, Group<E>>,
    /// How many groups have a prefix of a length: a key can only be under prefixes of these.
    lengths: BTreeMap<usize, usize>,
    next_id: u64,
}

struct Group<E> {
    everything: Members<E>,
    buckets: BTreeMap<Bucket, Members<E>>,
}

type Members<E> = BTreeMap<u64, Arc<Inbox<E>>>;

/// A watcher's place, needed to leave again.
pub(super) struct Place {
    prefix: Bytes,
    bucket: Option<Bucket>,
    id: u64,
}

impl<E> Registry<E> {
    pub(super) fn new() -> Self {
        Registry {
            groups: BTreeMap::new(),
            lengths: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// How many watchers there are.
    pub(super) fn len(&self) -> usize {
        let size = |group: &Group<E>| {
            group.everything.len() + group.buckets.values().map(BTreeMap::len).sum::<usize>()
        };
        self.groups.values().map(size).sum()
    }

    pub(super) fn join(
        &mut self,
        prefix: Bytes,
        bucket: Option<Bucket>,
        inbox: Arc<Inbox<E>>,
    ) -> Place {
        let id = self.next_id;
        self.next_id += 1;
        let group = self.groups.entry(prefix.clone()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            Group {
                everything: Members::new(),
                buckets: BTreeMap::new(),
            }
        });
        let members = match &bucket {
            None => &mut group.everything,
            Some(bucket) => group.buckets.entry(bucket.clone()).or_default(),
        };
        members.insert(id, inbox);
        Place { prefix, bucket, id }
    }

    pub(super) fn leave(&mut self, place: &Place) {
        let Some(group) = self.groups.get_mut(&place.prefix) else {
            return;
        };
        match &place.bucket {
            None => drop(group.everything.remove(&place.id)),
            Some(bucket) => {
                if let Some(members) = group.buckets.get_mut(bucket) {
                    members.remove(&place.id);
                    if members.is_empty() {
                        group.buckets.remove(bucket);
                    }
                }
            }
        }
        if group.everything.is_empty() && group.buckets.is_empty() {
            self.groups.remove(&place.prefix);
            if let Some(count) = self.lengths.get_mut(&place.prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&place.prefix.len());
                }
            }
        }
    }

    /// Hands a change to every watcher that it may concern, once.
    pub(super) fn dispatch<C>(&self, codec: &C, sequence: Sequence, change: &CacheChange<E>)
    where
        C: Codec<Entry = E>,
    {
        let key = change.key();
        let mut touched = None; // worked out at most once, and only if somebody asks
        for &length in self.lengths.range(..=key.len()).map(|(length, _)| length) {
            let Some(group) = self.groups.get(&key[..length]) else {
                continue;
            };
            for inbox in group.everything.values() {
                inbox.push(sequence, change);
            }
            if group.buckets.is_empty() {
                continue;
            }
            for bucket in touched.get_or_insert_with(|| buckets(codec, change)) {
                for inbox in group
                    .buckets
                    .get(bucket)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                {
                    inbox.push(sequence, change);
                }
            }
        }
    }

    /// Ends every watcher.
    pub(super) fn end(&self, error: &StoreError) {
        for group in self.groups.values() {
            for inbox in group
                .everything
                .values()
                .chain(group.buckets.values().flatten().map(|m| m.1))
            {
                inbox.end(error.clone());
            }
        }
    }
}

/// The buckets that a change enters, stays in or leaves.
fn buckets<C: Codec>(codec: &C, change: &CacheChange<C::Entry>) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    for side in [&change.current, &change.previous].into_iter().flatten() {
        codec.buckets(&side.entry, &mut buckets);
    }
    buckets.sort();
    buckets.dedup();
    buckets
}
