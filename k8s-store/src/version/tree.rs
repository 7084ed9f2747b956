//! A persistent ordered tree: cloning is one reference count, a change copies only the path it
//! touches, and only when an older clone still shares it.
//!
//! That is what makes reads cheap everywhere in this crate: a reader clones the root under a short
//! lock and walks it in peace, a writer prepares the next state aside and publishes it by swapping
//! the root. Items carry their own key; a branch repeats where each child begins, so that the way
//! down touches little memory, and knows how many items are below it, so that positions can be
//! counted without visiting them.

use std::{mem, slice, sync::Arc};

/// The widest a node gets: a compromise between depth and what a copied path costs. Tests have
/// narrow nodes, so that their trees are deep.
const WIDTH: usize = if cfg!(test) { 8 } else { 32 };

/// An item that knows the key it is ordered by.
pub(crate) trait Keyed {
    /// The key; it never changes while the item is in a tree.
    fn key(&self) -> &[u8];
}

/// An ordered set of shared items.
pub(crate) struct Tree<T> {
    root: Arc<Node<T>>,
}

enum Node<T> {
    Leaf(Vec<Arc<T>>),
    /// Never without children, none of which is empty.
    Branch {
        children: Vec<Child<T>>,
        len: usize,
    },
}

/// A node and where it begins.
struct Child<T> {
    /// No key in the node is less, every key in the child before is. The first child of a branch
    /// takes whatever is less as well.
    low: Arc<[u8]>,
    node: Arc<Node<T>>,
}

impl<T> Clone for Tree<T> {
    fn clone(&self) -> Self {
        Tree {
            root: Arc::clone(&self.root),
        }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree {
            root: Arc::new(Node::Leaf(Vec::new())),
        }
    }
}

impl<T: Keyed> Tree<T> {
    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.root.len()
    }

    /// The item with this key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Arc<T>> {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => return Some(&items[position(items, key).ok()?]),
                Node::Branch { children, .. } => node = &children[child_of(children, key)].node,
            }
        }
    }

    /// Puts an item in its place and returns the one that it replaces.
    pub(crate) fn insert(&mut self, item: Arc<T>) -> Option<Arc<T>> {
        let (old, right) = Node::insert(&mut self.root, item);
        if let Some(right) = right {
            let left = Child {
                low: Arc::default(),
                node: Arc::clone(&self.root),
            };
            self.root = Arc::new(Node::branch(vec![left, right]));
        }
        old
    }

    /// Takes the item with this key out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Arc<T>> {
        self.get(key)?; // an absent key must not copy a path
        let old = Node::remove(&mut self.root, key);
        while let Node::Branch { children, .. } = &*self.root
            && let [only] = &children[..]
        {
            self.root = Arc::clone(&only.node);
        }
        Some(old)
    }

    /// How many leading items `before` holds for. It must hold for no item after one that it fails.
    pub(crate) fn rank(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let mut rank = 0;
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => {
                    return rank + items.partition_point(|item| before(item.key()));
                }
                Node::Branch { children, .. } => {
                    // The boundary is in the last child that begins before it.
                    let next = children.partition_point(|child| before(&child.low));
                    let next = next.saturating_sub(1);
                    rank += count(&children[..next]);
                    node = &children[next].node;
                }
            }
        }
    }

    /// The positions of the items whose key starts with `prefix` and is greater than `after`.
    pub(crate) fn positions(&self, prefix: &[u8], after: Option<&[u8]>) -> std::ops::Range<usize> {
        let start = self.rank(|key| key < prefix || after.is_some_and(|after| key <= after));
        let end = self.rank(|key| key < prefix || key.starts_with(prefix));
        start..end.max(start)
    }

    /// The items from position `start` on, in order.
    pub(crate) fn iter_from(&self, start: usize) -> Iter<'_, T> {
        let mut iter = Iter {
            branches: Vec::new(),
            leaf: [].iter(),
        };
        let mut skip = start;
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(items) => {
                    iter.leaf = items[skip.min(items.len())..].iter();
                    return iter;
                }
                Node::Branch { children, .. } => {
                    let mut rest = children.iter();
                    node = loop {
                        let Some(child) = rest.next() else {
                            return iter;
                        };
                        if skip < child.node.len() {
                            break &child.node;
                        }
                        skip -= child.node.len();
                    };
                    iter.branches.push(rest);
                }
            }
        }
    }

    /// All items, in order.
    pub(crate) fn iter(&self) -> Iter<'_, T> {
        self.iter_from(0)
    }
}

impl<T> Clone for Child<T> {
    fn clone(&self) -> Self {
        Child {
            low: Arc::clone(&self.low),
            node: Arc::clone(&self.node),
        }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(items) => Node::Leaf(with_room(items)),
            Node::Branch { children, len } => Node::Branch {
                children: with_room(children),
                len: *len,
            },
        }
    }
}

/// A copy that can take the one item that it is most likely made for.
fn with_room<P: Clone>(items: &[P]) -> Vec<P> {
    let mut copy = Vec::with_capacity(items.len() + 1);
    copy.extend_from_slice(items);
    copy
}

impl<T> Node<T> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch { len, .. } => *len,
        }
    }

    /// How many items or children it holds directly.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch { children, .. } => children.len(),
        }
    }
}

impl<T: Keyed> Node<T> {
    /// Returns what was replaced, and the right half if the node had to be split.
    fn insert(node: &mut Arc<Self>, item: Arc<T>) -> (Option<Arc<T>>, Option<Child<T>>) {
        match Arc::make_mut(node) {
            Node::Leaf(items) => match position(items, item.key()) {
                Ok(at) => (Some(mem::replace(&mut items[at], item)), None),
                Err(at) => {
                    items.insert(at, item);
                    let right = split(items, at).map(|right| Child {
                        low: Arc::from(right[0].key()),
                        node: Arc::new(Node::Leaf(right)),
                    });
                    (None, right)
                }
            },
            Node::Branch { children, len } => {
                let at = child_of(children, item.key());
                let (old, right) = Node::insert(&mut children[at].node, item);
                *len += usize::from(old.is_none());
                let Some(right) = right else {
                    return (old, None);
                };
                children.insert(at + 1, right);
                let right = split(children, at + 1).map(|right| Child {
                    low: Arc::clone(&right[0].low),
                    node: Arc::new(Node::branch(right)),
                });
                *len -= right.as_ref().map_or(0, |right| right.node.len());
                (old, right)
            }
        }
    }

    fn branch(children: Vec<Child<T>>) -> Self {
        let len = count(&children);
        Node::Branch { children, len }
    }

    /// Removes a key that is known to be there.
    fn remove(node: &mut Arc<Self>, key: &[u8]) -> Arc<T> {
        match Arc::make_mut(node) {
            Node::Leaf(items) => {
                let at = position(items, key).expect("the key was found on the way down");
                items.remove(at)
            }
            Node::Branch { children, len } => {
                let at = child_of(children, key);
                let old = Node::remove(&mut children[at].node, key);
                *len -= 1;
                match children[at].node.width() {
                    0 => drop(children.remove(at)),
                    width if width < WIDTH / 4 => merge(children, at),
                    _ => (),
                }
                old
            }
        }
    }

    /// Moves everything out of `right`, which follows, into `self`.
    fn absorb(&mut self, right: Child<T>) {
        match (self, Arc::unwrap_or_clone(right.node)) {
            (Node::Leaf(items), Node::Leaf(more)) => items.extend(more),
            (
                Node::Branch { children, len },
                Node::Branch {
                    children: mut more,
                    len: added,
                },
            ) => {
                more[0].low = right.low; // it is not the first any more
                children.extend(more);
                *len += added;
            }
            _ => unreachable!("siblings are at the same height"),
        }
    }
}

fn count<T>(children: &[Child<T>]) -> usize {
    children.iter().map(|child| child.node.len()).sum()
}

/// Joins a thin child with a neighbour if both fit into one node.
fn merge<T: Keyed>(children: &mut Vec<Child<T>>, at: usize) {
    for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        let Some(right) = children.get(left + 1) else {
            continue;
        };
        if children[left].node.width() + right.node.width() <= WIDTH {
            let right = children.remove(left + 1);
            Arc::make_mut(&mut children[left].node).absorb(right);
            return;
        }
    }
}

/// Splits what has grown too wide. Keys that arrive in order leave full nodes behind them.
fn split<P>(items: &mut Vec<P>, inserted: usize) -> Option<Vec<P>> {
    if items.len() <= WIDTH {
        return None;
    }
    let in_order = inserted + 1 == items.len();
    Some(items.split_off(if in_order { WIDTH } else { WIDTH / 2 }))
}

fn position<T: Keyed>(items: &[Arc<T>], key: &[u8]) -> Result<usize, usize> {
    items.binary_search_by(|item| item.key().cmp(key))
}

/// The child that holds the key, or would.
fn child_of<T>(children: &[Child<T>], key: &[u8]) -> usize {
    children
        .partition_point(|child| *child.low <= *key)
        .saturating_sub(1)
}

/// Walks items in order.
pub(crate) struct Iter<'a, T> {
    branches: Vec<slice::Iter<'a, Child<T>>>,
    leaf: slice::Iter<'a, Arc<T>>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a Arc<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.leaf.next() {
                return Some(item);
            }
            match self.branches.last_mut()?.next().map(|child| &*child.node) {
                None => drop(self.branches.pop()),
                Some(Node::Leaf(items)) => self.leaf = items.iter(),
                Some(Node::Branch { children, .. }) => self.branches.push(children.iter()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
