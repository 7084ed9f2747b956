//! A pool of numbered things, of which some are taken.

use std::collections::BTreeSet;

use bytes::Bytes;
use k8s_store::{Compare, Op};

use crate::registry::{Effects, RANGES, View};

/// One pool while a change of one service is being decided.
pub(super) struct Pool<'a> {
    /// The part of the key after [`RANGES`].
    name: &'static str,
    /// How many things there are.
    size: u32,
    /// So many at the start are left to those who ask for a certain one, as long as there are others.
    reserved: u32,
    view: &'a View<'a>,
    /// The namespace and name of the service: the value of each key.
    owner: String,
    /// What the service holds already, and may keep.
    held: BTreeSet<u32>,
    /// What it is to hold after the change.
    wanted: BTreeSet<u32>,
}

/// Somebody else holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken;

impl<'a> Pool<'a> {
    pub(super) fn new(
        name: &'static str,
        size: u32,
        reserved: u32,
        view: &'a View<'a>,
        owner: String,
        held: BTreeSet<u32>,
    ) -> Self {
        Pool {
            name,
            size,
            reserved,
            view,
            owner,
            held,
            wanted: BTreeSet::new(),
        }
    }

    /// Takes, or keeps, a certain one.
    pub(super) fn take(&mut self, index: u32) -> Result<(), Taken> {
        if !self.held.contains(&index) && self.is_taken(index) {
            return Err(Taken);
        }
        self.wanted.insert(index);
        Ok(())
    }

    /// Takes one that is free, if there is any: at random, so that racing services rarely meet.
    pub(super) fn take_any(&mut self) -> Option<u32> {
        let random = self.view.config().environment.random();
        let free = self
            .probe(self.reserved, self.size, random)
            .or_else(|| self.probe(0, self.reserved, random))?;
        self.wanted.insert(free);
        Some(free)
    }

    /// The first free one from a random place on, round and round.
    fn probe(&self, start: u32, end: u32, random: u128) -> Option<u32> {
        let count = end.checked_sub(start).filter(|count| *count > 0)?;
        let first = (random % u128::from(count)) as u32;
        (0..count)
            .map(|step| start + (first + step) % count)
            .find(|index| !self.wanted.contains(index) && !self.is_taken(*index))
    }

    /// How many things there are, taken or not.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    fn is_taken(&self, index: u32) -> bool {
        self.view.is_taken(&self.key(index))
    }

    fn key(&self, index: u32) -> Bytes {
        Bytes::from(format!("{RANGES}{}/{index}", self.name))
    }

    /// What takes the new ones and gives back the old ones.
    pub(super) fn effects(&self) -> Effects {
        let mut effects = Effects::default();
        for &index in self.wanted.difference(&self.held) {
            let key = self.key(index);
            effects.compares.push(Compare::Absent(key.clone()));
            let value = Bytes::from(self.owner.clone());
            effects.ops.push(Op::Put { key, value });
        }
        for &index in self.held.difference(&self.wanted) {
            effects.ops.push(Op::Delete {
                key: self.key(index),
            });
        }
        effects
    }
}
