//! The search for an order that explains all answers about one key.

use std::{collections::HashSet, mem};

use super::{Operation, register::Register};

/// The best that could be done.
pub(super) struct Unexplained<'a> {
    pub(super) explained: usize,
    pub(super) state: Register,
    pub(super) stuck: Vec<&'a Operation>,
}

/// Looks for an order. `operations` come in the order in which they were called.
pub(super) fn explain<'a>(operations: &[&'a Operation]) -> Result<(), Unexplained<'a>> {
    let mut done = Done::new(operations.len());
    let mut state = Register::default();
    let mut order: Vec<(usize, Register)> = Vec::new();
    let mut visited = HashSet::new();
    let mut best: Option<Unexplained<'a>> = None;
    let mut tried = 0; // candidates before this one have been tried in this place
    loop {
        let open = candidates(operations, &done);
        if open
            .iter()
            .all(|&index| operations[index].deadline() == u64::MAX)
        {
            return Ok(()); // of what may still happen nothing has to
        }
        let next = open
            .iter()
            .filter(|&&index| index >= tried)
            .find_map(|&index| Some((index, state.after(operations[index])?)));
        match next {
            Some((index, after)) => {
                done.flip(index);
                if visited.insert((done.clone(), after.clone())) {
                    order.push((index, mem::replace(&mut state, after)));
                    tried = 0;
                } else {
                    done.flip(index);
                    tried = index + 1;
                }
            }
            None => {
                if best
                    .as_ref()
                    .is_none_or(|best| best.explained < order.len())
                {
                    best = Some(Unexplained {
                        explained: order.len(),
                        state: state.clone(),
                        stuck: open.iter().map(|&index| operations[index]).collect(),
                    });
                }
                match order.pop() {
                    Some((index, before)) => {
                        done.flip(index);
                        state = before;
                        tried = index + 1;
                    }
                    None => return Err(best.expect("it was just set")),
                }
            }
        }
    }
}

/// What may come next: not done, and called before anything else that is not done had returned.
fn candidates(operations: &[&Operation], done: &Done) -> Vec<usize> {
    let mut open = Vec::new();
    let mut deadline = u64::MAX;
    for (index, operation) in operations.iter().enumerate().skip(done.prefix()) {
        if operation.called > deadline {
            break; // and so was everything behind it
        }
        if !done.has(index) {
            deadline = deadline.min(operation.deadline());
            open.push(index);
        }
    }
    open
}

/// A set of operations, one bit each.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn new(len: usize) -> Self {
        Done(vec![0; len.div_ceil(64)])
    }

    fn has(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    fn flip(&mut self, index: usize) {
        self.0[index / 64] ^= 1 << (index % 64);
    }

    /// A number of leading operations that are all in the set.
    fn prefix(&self) -> usize {
        self.0.iter().take_while(|bits| **bits == u64::MAX).count() * 64
    }
}
