//! What a write takes with it: compares and operations that commit in the same transaction, or not at all.

use k8s_apimachinery::Object;
use k8s_store::{Compare, Op};

use super::{Stored, entry};

/// Extra compares and writes, returned by strategies and admission instead of being performed. A lost race reruns the
/// decision, never a side effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// What must hold for the object's own write to happen.
    pub compares: Vec<Compare>,
    /// What is written with it.
    pub ops: Vec<Op>,
}

impl Effects {
    /// Replaces another object, if it is still as it was read. A transaction writes it at most once.
    pub fn replace(&mut self, stored: &Stored, object: &Object) {
        let key = stored.key.clone();
        let value = entry::encode(object);
        self.compares
            .push(Compare::Modified(key.clone(), stored.modified));
        self.ops.push(Op::Put { key, value });
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Effects) {
        self.compares.extend(other.compares);
        self.ops.extend(other.ops);
    }
}

/// A change that is about to be committed: a create has no `old`, a removal no `new`.
#[derive(Debug)]
pub struct Change<'a> {
    /// The stored object.
    pub old: Option<&'a Object>,
    /// The object that replaces it.
    pub new: Option<&'a mut Object>,
}
